"""A method as a command names it: named constructors, other code bases' names, arguments refused at once."""

import inspect
from pathlib import Path

import pytest

from stillhouse.methods import DKD, KD
from stillhouse.methods.parse import parse
from stillhouse.methods.spec import catalogue, spell
from stillhouse.methods.wrappers import ScaleDecoupled


@pytest.mark.parametrize(
    "typed",
    [
        "ScaleDecoupled.reference(DKD(), [1, 2, 4])",
        "ScaleDecoupled.reference(base=DKD)",
        "scaledecoupled.reference(DKD)",
    ],
)
def test_a_named_constructor_builds_what_it_builds_in_python(typed: str) -> None:
    (spec,) = parse(typed)
    built, expected = spec.build(), ScaleDecoupled.reference(DKD())
    assert isinstance(built, ScaleDecoupled)
    assert str(spec).startswith("ScaleDecoupled.reference(base=DKD(weight=1.0, ")
    assert [str(one) for one in parse(str(spec))] == [str(spec)]
    for name in ("scales", "complementary", "compare", "pooling"):
        assert getattr(built, name) == pytest.approx(getattr(expected, name)), name


def test_a_constructor_of_a_users_own_method(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from stillhouse.methods import KD\n\n\nclass Warm(KD):\n    @classmethod\n"
        "    def hot(cls, temperature: float):\n        return cls(2.0, temperature)\n"
    )
    (spec,) = parse(f"{tmp_path}/mine.py:Warm.hot(9)")
    built = spec.build()
    assert isinstance(built, KD)
    assert (built.weight, built.temperature) == (2.0, 9.0)
    assert str(spec) == f"{tmp_path}/mine.py:Warm.hot(temperature=9.0)"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("KD.reference()", "KD has no constructor 'reference'. Write KD(...)"),
        (
            "ScaleDecoupled.refrence(KD)",
            "ScaleDecoupled has no constructor 'refrence'. Did you mean reference? It has pa",
        ),
        ("ScaleDecoupled.__init__(KD)", "ScaleDecoupled has no constructor '__init__'. It has paper, reference"),
        ("ScaleDecoupled.reference", "ScaleDecoupled needs base, for example ScaleDecoupled(base=KD)"),
        ("KD(tau=3)", "KD has no argument 'tau'. Here that is temperature. It takes weight, temperature"),
        ("DSPP(topk=5)", "DSPP has no argument 'topk'. Here that is divisor. It"),
        ("ScaleDecoupled(KD, M=[1, 2])", "ScaleDecoupled has no argument 'M'. Here that is scales. It"),
        ("CRD(nce-k=3)", "--methods 'CRD(nce-k=3)' cannot be read"),
        ("CRD(nce_k=3)", "CRD has no argument 'nce_k'. Here that is num_negatives. It"),
        ("AT(alpha=3)", "AT has no argument 'alpha'. Here that is weight. It"),
        ("CE, hint", "there is no method 'hint'. Here that is FitNet. All: AB"),
        ("Ramped(similarity)", "'similarity' in --methods is not a method. Here that is SP. If it is text, quote it"),
        ("DSPP(levels=0)", "DSPP: levels must be between 1 and 64, not 0"),
        ("ScaleDecoupled(KD, [2])", "ScaleDecoupled: scales must begin with 1"),
        ("MLKD(temperatures=[4, -1])", "MLKD: temperatures must be at least 0.001"),
    ],
)
def test_what_is_refused_says_what_to_write_instead(typed: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the sentence is compared)
        parse(typed)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("name", catalogue())
def test_every_method_can_be_spelt_by_its_name_alone_unless_it_needs_another(name: str) -> None:
    if needed := {"base", "terms"} & set(inspect.signature(catalogue()[name]).parameters):
        with pytest.raises(ValueError, match=f"{name} needs {needed.pop()}, for example"):
            spell(name, "", [], {})
    else:
        assert spell(name, "", [], {}).build().weight > 0
