"""Every method of the catalogue, by every law of the contract."""

import inspect
from functools import cache

import pytest
import torch

from stillhouse.contract import LAWS, Law, Subject
from stillhouse.methods.parse import catalogue, parse

TRANSFORMERS = {"a transformer from a CNN", "a CNN from a transformer"}
UNEQUAL_WIDTHS = {"a ResNet from a wider one", "four stages from three", "three stages from four", *TRANSFORMERS}
REFUSED = {  # the pairs that a method says it is not for; all others it teaches
    **dict.fromkeys(["AB", "AT", "CATKD", "DSPP", "FitNet", "FT", "NST", "OFD", "ReviewKD", "VID"], TRANSFORMERS),
    **dict.fromkeys(["ScaleDecoupled", "SemCKD", "SimKD"], TRANSFORMERS),
    "SpotAdaptive": TRANSFORMERS,  # because of AT
    "SRRL": {"a transformer from a CNN"},
    **dict.fromkeys(["FSP", "KDSVD"], UNEQUAL_WIDTHS),
}
REMARKS = {  # what is known and right
    "its docstring names the paper": {"CE", "StrongView"},
    "the order of a batch does not matter": {"CRD", "SemCKD", "SpotAdaptive"},
    "its steps can be captured in a CUDA graph": {
        "KDSVD",  # a singular value decomposition waits for the device
        *{"CRD", "SpotAdaptive"},  # they draw in the step
        *{"CTKD", "DSPP", "HKD", "Ramped", "ScaleDecoupled", "SemCKD"},  # they read the epoch
    },
    "a student equal to its teacher costs nothing": {
        *{"CE", "NKD", "OFAKD", "RLD", "TTM", "WTTM"},  # labels, or a teacher changed before it is compared
        *{"CC", "CRD", "DSPP", "FitNet", "FT", "OFD", "ReviewKD", "SimKD", "SRD", "SRRL", "VID"},  # connectors
        *{"AB", "SemCKD", "SpotAdaptive"},  # a margin; stages that differ; routes
    },
}


@cache
def subject(name: str) -> Subject:
    takes = inspect.signature(catalogue()[name]).parameters
    inside = "(KD)" if "base" in takes else "([KD, AT])" if "terms" in takes else ""
    return Subject(parse(name + inside)[0])


@pytest.mark.parametrize("law", LAWS, ids=[law.says for law in LAWS])
@pytest.mark.parametrize("name", catalogue())
def test_contract(name: str, law: Law) -> None:
    remark = law.try_on(subject(name))
    pair, _, rest = law.says.partition(" can be taught")
    if rest:
        assert remark.startswith("refused: ") is (pair in REFUSED.get(name, ())), remark
    elif "GPU" in law.says and not torch.cuda.is_available():
        assert remark
    else:
        assert bool(remark) is (name in REMARKS.get(law.says, ())), remark
