"""Complaints about a command line, in plain words."""

import re
from collections.abc import Mapping, Sequence

from ...spelling import misfit, nearest
from . import former_names


def misread(command: str, complaint: str, known: Sequence[str], positional: Mapping[str, str]) -> str:
    """Return jsonargparse's error message in plain words.

    Args:
        command: Name of the command.
        complaint: The message.
        known: The command's options.
        positional: Those that are typed without their name, with their help texts.
    """
    see = f"See stillhouse {command} --help"
    unknown = re.search(r"^Unrecognized arguments: (\S+)|^Option '(\S+)' is not accepted", complaint, re.IGNORECASE)
    if unknown:
        return _unknown(command, unknown[1] or f"--{unknown[2]}", known, positional) + f" {see}"
    valueless = re.search(r"argument (--\w+)\S*: expected one argument", complaint)
    if valueless:
        return f"{valueless[1]} needs a value. {see}"
    if required := re.search(r"arguments are required: (\w+)", complaint):
        return f"stillhouse {command} needs {positional.get(required[1], f'--{required[1]}')}. {see}"
    absent = re.search(r"key \"config\": .*'(.*)'", complaint)
    if absent:
        return f"--config: there is no file {absent[1]}"
    if complaint.startswith(("Unexpected config", "Problems parsing config")):
        return f"--config takes a YAML file such as a run's config.yaml, which this is not ({complaint})"
    name, reason = misfit(complaint) or ("", "")
    return f"--{name} {reason}" if name else f"{complaint}. {see}"


def _unknown(command: str, word: str, known: Sequence[str], positional: Mapping[str, str]) -> str:
    option = word.lstrip("-").partition("=")[0]
    if not word.startswith("-"):
        if "=" in word and option in known:
            return f"unexpected argument {word!r}; write --{word}."
        way_out = "a value follows its option, --data digits, and is quoted if it contains spaces"
        return f"unexpected argument {word!r}; {way_out}."
    if option in positional:
        return f"stillhouse {command} takes the {option} without --{option}: stillhouse {command} {option.upper()}."
    if (exact := option.replace("-", "_")) in known:
        return f"stillhouse {command} has no option {word.partition('=')[0]}; it is --{exact}."
    if option in ("student", "teacher") and "model" in known:
        return f"stillhouse {command} has no option --{option}; the network is --model."
    former = former_names.OPTIONS.get(option.lower().replace("-", "_"))
    hint = f".{nearest(option, known, '--')}" if former is None else f"; {former}."
    return f"stillhouse {command} has no option {word.partition('=')[0]}{hint}"
