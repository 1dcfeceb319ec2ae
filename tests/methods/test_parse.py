"""From what a user types to methods, and to one sentence where it is none."""

from pathlib import Path

import pytest

from stillhouse import methods
from stillhouse.method import Method
from stillhouse.methods import wrappers
from stillhouse.methods.parse import MethodSpec, catalogue, parse, sources

MINE = """
from torch import Tensor
from stillhouse import LogitMethod, Method

class MyKD(LogitMethod):
    "Squared difference."

    def __init__(self, weight: float = 2.0, power=2):
        super().__init__(weight)
        self.power = power

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return (student - teacher).abs().pow(self.power).mean(1)

class Unfinished(LogitMethod):
    pass

class NeedsWeight(MyKD):
    def __init__(self, weight: float):
        super().__init__(weight)

class NoMethod:
    pass
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "my_kd.py"
    path.write_text(MINE)
    return str(path)


def spelling(name: str) -> str:
    """A method as one types it; wrappers with what they are about."""
    try:
        return str(parse(name)[0])
    except ValueError as error:
        return str(error).partition("for example ")[2]


def test_the_catalogue_is_every_class_that_the_packages_name() -> None:
    named = {name for module in (methods, wrappers) for name, value in vars(module).items() if isinstance(value, type)}
    assert set(catalogue()) == named
    assert {"AT", "CE", "FitNet", "KD", "SP", "ScaleDecoupled"} <= named
    assert list(catalogue()) == sorted(named, key=str.lower)


@pytest.mark.parametrize("name", catalogue())
def test_a_complete_spelling_says_the_same_again(name: str) -> None:
    (first,) = parse(spelling(name))
    (again,) = parse(str(first))
    assert first.name == name
    assert again == first
    assert str(again) == str(first)
    built, other = first.build(), first.build()
    assert type(built) is catalogue()[name]
    assert built is not other
    assert not {id(module) for module in built.modules()} & {id(module) for module in other.modules()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CE,KD,AT", ["CE", "KD", "AT"]),
        (" CE , KD() ,\n AT(), ", ["CE", "KD", "AT"]),
        ("ce, kd, fitnet", ["CE", "KD", "FitNet"]),
        ("KD, KD", ["KD", "KD"]),
    ],
)
def test_lists_of_names(text: str, expected: list[str]) -> None:
    assert [item.name for item in parse(text)] == expected


def test_defaults_are_the_papers_and_numbers_have_one_spelling() -> None:
    (plain,), (short,), (long,) = parse("KD"), parse("KD(temperature=4)"), parse("KD(0.9, 4.0)")
    assert str(plain) == str(short) == str(long)
    assert str(plain).startswith("KD(weight=0.9, temperature=4.0")
    assert str(parse("KD(temperature=2)")[0]) != str(plain)


def test_arguments_reach_the_method() -> None:
    kd, fitnet = (item.build() for item in parse("KD(0.5, temperature=2), FitNet(at=[('stage1', 'stage2')])"))
    assert [kd.weight, kd.temperature] == [0.5, 2.0]
    assert [tuple(places) for places in fitnet.at] == [("stage1", "stage2")]  # type: ignore[union-attr] # it has them


def test_a_colon_in_quotes_is_a_place_and_no_file() -> None:
    (item,) = parse("""FitNet(at="layer1.0:in")""")
    assert item.arguments["at"] == "layer1.0:in"


def test_methods_inside_methods() -> None:
    (outer,) = parse("ScaleDecoupled(Standardized(KD(temperature=2)), scales=[1, 2])")
    inner = outer.arguments["base"]
    assert isinstance(inner, MethodSpec)
    assert inner.name == "Standardized"
    built = outer.build()
    assert built.base.base.temperature == 2.0  # type: ignore[union-attr] # it is there, or the test fails
    assert list(built.scales) == [1, 2]  # type: ignore[arg-type]


def test_a_method_of_ones_own(mine: str) -> None:
    ce, (own,) = parse("CE")[0], parse(f"{mine}:MyKD(power=3)")
    both = parse(f"CE, {mine}:MyKD(power=3)")
    assert [str(item) for item in both] == [str(ce), f"{mine}:MyKD(weight=2.0, power=3)"]
    built = own.build()
    assert isinstance(built, Method)
    assert built.power == 3
    assert sources([ce]) == []
    assert sources(parse(f"Standardized({mine}:MyKD), CE")) == [Path(mine)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("KDD", r"there is no method 'KDD'. Did you mean .*KD.* All: AB, AT,"),
        ("CE, Fitnett", r"there is no method 'Fitnett'. Did you mean FitNet\?"),
        ("", r"--methods is empty; write CE,KD"),
        ("KD," * 30_000, r"--methods must name at most 100 methods, not 30,000; leave some out"),
        ("x" * 100_000, r"there is no method"),
        ("[]", r"\[\] in --methods is not a method; the methods are AB"),
        ("CE,,KD", r"--methods 'CE,,KD' cannot be read .*; write CE,KD or 'CE, KD\(temperature=2\)'"),
        ("CE KD", r"'CE KD' cannot be read"),
        ("KD(temperature=2", r"'KD\(temperature=2' cannot be read"),
        ("[CE, 3]", r"\[CE\(weight=1.0\), 3\] in --methods is not a method"),
        ("CE, 3", r"3 in --methods is not a method; the methods are AB"),
        (
            "KD(temprature=2)",
            r"KD has no argument 'temprature'. Did you mean temperature\? It takes weight, temperature",
        ),
        ("KD(1, 2, False, 4)", r"KD takes 3 arguments \(weight, temperature, .*\), not 4"),
        ("KD(1, weight=2)", r"KD is given weight twice"),
        ("KD(weight=1, weight=2)", r"KD\(...\) in --methods is given weight twice"),
        ("KD(**{'weight': 1})", r"KD\(...\) in --methods is given \*\*"),
        ("KD(temperature='hot')", r"KD: temperature takes a number, not hot"),
        ("KD(temperature=True)", r"KD: temperature takes a number, not True"),
        ("KD(temperature=None)", r"KD: temperature needs a value, not None"),
        ("KD(weight=1e999)", r"KD: weight must be a finite number, not inf"),
        ("FitNet(at=stage2)", r"'stage2' in --methods is not a method.* If it is text, quote it: 'stage2'"),
        ("FitNet(at=3)", r"FitNet: at takes text or a list, not 3"),
        ("KD(weight=AT)", r"KD takes a plain value as weight, not the method AT"),
        ("ScaleDecoupled", r"ScaleDecoupled needs base, for example ScaleDecoupled\(base=KD\)"),
        ("ScaleDecoupled(3)", r"ScaleDecoupled takes a LogitMethod as base, such as KD, not 3"),
        ("ScaleDecoupled('KD')", r"takes a LogitMethod as base, such as KD, not 'KD'"),
        ("ScaleDecoupled(AT)", r"takes a LogitMethod as base, such as KD, not AT\(.*\)"),
        ("ScaleDecoupled([KD])", r"takes a LogitMethod as base, such as KD, not \[KD\(.*\)\]"),
        ("ScaleDecoupled(KD, compare='colours')", r"compare takes one of 'classes', 'correctness', not colours"),
        ("CTKD(AT)", r"CTKD takes a TemperedMethod as base, such as KD"),
    ],
)
def test_what_is_no_method_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_a_list_of_methods_is_asked_for_where_one_is_needed() -> None:
    many = [name for name, cls in catalogue().items() if "terms" in cls.__init__.__annotations__]
    for name in many:
        with pytest.raises(ValueError, match=rf"{name} takes a list, each item a .*, as terms, such as \[KD, AT\]"):
            parse(f"{name}(KD)")
        with pytest.raises(ValueError, match=rf"{name} takes a list, .*, not \[.*, 3\]"):
            parse(f"{name}([KD, 3])")


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('touch {}')", "KD(__import__('os').system('touch {}'))", "KD(weight=open('{}', 'w'))"],
)
def test_nothing_that_is_typed_is_executed(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        ValueError, match=r"in --methods is neither a method nor a plain value|there is no method 'open'"
    ):
        parse(text.format(tmp_path / "trap"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("MyKDD", r"my_kd.py has no 'MyKDD'. Did you mean MyKD"),
        ("NoMethod", r"my_kd.py:NoMethod is not a method, a class derived from stillhouse.Method"),
        ("Tensor", r"my_kd.py:Tensor is not a method, a class derived from stillhouse.Method"),
        ("Unfinished", r"my_kd.py:Unfinished is not a method: it leaves loss to be written"),
        ("NeedsWeight", r"my_kd.py:NeedsWeight needs weight, for example .*my_kd.py:NeedsWeight\(weight=1\)"),
        ("MyKD(powr=3)", r"my_kd.py:MyKD has no argument 'powr'. Did you mean power"),
    ],
)
def test_what_is_no_method_of_ones_own_is_one_sentence(mine: str, name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse(f"CE, {mine}:{name}")
