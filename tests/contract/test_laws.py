"""The list of laws, and those about how a method is written down."""

import pytest

from stillhouse.contract import LAWS, Broken, Citation
from stillhouse.method import Method
from stillhouse.methods import AT, CE, FSP, KD, NST
from stillhouse.methods.wrappers import CTKD

from .bad import subject

LAW = {law.says: law.try_on for law in LAWS}


def test_no_two_laws_say_the_same() -> None:
    assert len(LAW) == len(LAWS) == 33


def test_a_citation_is_read_from_the_docstring() -> None:
    authors = "Zagoruyko & Komodakis"
    found = Citation("Paying More Attention to Attention", authors, "ICLR 2017", "2017", "arXiv:1612.03928")
    assert Citation.of(AT) == found
    assert Citation.of(CE) is None
    assert Citation.of(FSP) == Citation(
        "A Gift from Knowledge Distillation: Fast Optimization, Network Minimization and Transfer Learning",
        "Yim et al.",
        "CVPR 2017",
        "2017",
        None,
    )
    nst = Citation.of(NST)
    assert nst is not None
    assert (nst.year, nst.identifier) == ("2017", "arXiv:1707.01219")


@pytest.mark.parametrize(("cls", "remark"), [(KD, False), (CE, True)])
def test_methods_cite_their_paper(cls: type[Method], remark: bool) -> None:
    assert bool(LAW["the docstring cites the paper"](subject(cls))) is remark


class Demanding(KD):
    def __init__(self, temperature: float):
        super().__init__(1.0, temperature)


def test_a_constructor_argument_without_a_default_is_wrong() -> None:
    law = LAW["all constructor arguments have defaults"]
    assert law(subject(KD)) == ""
    assert law(subject(CTKD)) == ""  # what it wraps is for the user to say
    with pytest.raises(Broken, match=r"temperature has none; give it the paper's value, so that Demanding\(\) is"):
        law(subject(Demanding))
