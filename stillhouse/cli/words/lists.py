"""Lists on a command line: with commas and without brackets, or as an option that is typed several times."""

from collections.abc import Sequence

_LISTS = ("--milestones", "--mean", "--std", "--teacher_mean", "--teacher_std")
_REPEATED = ("--grid", "--methods")


def listed(arguments: Sequence[str]) -> list[str]:
    """Add brackets to lists that were typed without them: --milestones 150,180,210."""
    words: list[str] = []
    for word in arguments:
        words += word.split("=", 1) if word.partition("=")[0] in _LISTS else [word]
    return [
        f"[{word}]" if before in _LISTS and not word.startswith("[") else word
        for before, word in zip(["", *words], words, strict=False)
    ]


def joined(arguments: Sequence[str]) -> list[str]:
    """Join options that may be typed several times, where the first is: --grid A --grid B becomes --grid=A;B."""
    words: list[str] = []
    places: dict[str, int] = {}
    rest = iter(arguments)
    for word in rest:
        option, equals, value = word.partition("=")
        if option not in _REPEATED or not (equals or (value := next(rest, ""))):
            words.append(word)
        elif option in places:
            words[places[option]] += f";{value}"
        else:
            places[option] = len(words)
            words.append(f"{option}={value}")
    return words
