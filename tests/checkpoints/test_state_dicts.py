"""A network's weights are found in a file behind any prefix, and what was chosen and left out is said."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stillhouse.checkpoints import load_weights, read_weights
from stillhouse.models import zoo
from tests.helpers.networks import QuickNet

Weights = dict[str, Tensor]


def behind(prefix: str, weights: Weights) -> Weights:
    return {prefix + name: value for name, value in weights.items()}


def other(width: int = 4) -> Weights:
    return QuickNet(width=width).state_dict()


def said(
    tmp_path: Path, content: object, net: nn.Module | None = None, key: str | None = None
) -> tuple[nn.Module, str]:
    """The network that was filled from a file, and what was said about it."""
    notes: list[str] = []
    torch.save(content, tmp_path / "weights.pth")
    net = net or QuickNet()
    load_weights(net, tmp_path / "weights.pth", key=key, say=notes.append)
    return net, "; ".join(note.removeprefix(f"{tmp_path}/weights.pth: ") for note in notes)


# The file, made of the weights that are right, and what is said; nothing where nothing was to be chosen.
FORMS: dict[str, tuple[Callable[[Weights], object], str]] = {
    "bare": (lambda w: w, ""),
    "usual key": (lambda w: {"state_dict": w, "epoch": 3}, ""),
    "any key": (lambda w: {"weights": w, "epoch": 1}, ""),
    "DDP of EMA": (lambda w: {"state_dict": behind("module.module.", w)}, ""),
    "DDP of compiled": (lambda w: behind("_orig_mod.module.", w), ""),
    "Lightning": (
        lambda w: {"state_dict": behind("model.", w), "hyper_parameters": {"lr": 0.1}, "callbacks": {}},
        "the prefix model was removed from its names",
    ),
    "Lightning, net": (
        lambda w: {"state_dict": behind("model.net.", w)},
        "the prefix model.net was removed from its names",
    ),
    "transformers": (lambda w: behind("timm_model.", w), "the prefix timm_model was removed from its names"),
    "with a loss": (
        lambda w: {"state_dict": behind("net.", w) | {"loss.weight": torch.ones(3)}},
        "the prefix net was removed from its names; left out 1 of its entries (loss)",
    ),
    "teacher prefix": (lambda w: behind("teacher.", w), "the prefix teacher was removed from its names"),
    "compiled parts": (lambda w: {name.replace("stage1.", "stage1._orig_mod."): v for name, v in w.items()}, ""),
    "sharded parts": (lambda w: {name.replace("e2.", "e2._fsdp_wrapped_module."): v for name, v in w.items()}, ""),
    "thop": (
        lambda w: w | {"total_ops": torch.zeros(1), "stage1.total_params": torch.zeros(1)},
        "left out 2 of its entries (total_ops, stage1), which the network does not have",
    ),
    "averaged": (
        lambda w: behind("module.", w) | {"n_averaged": torch.tensor(5)},
        "left out 1 of its entries (n_averaged)",
    ),
    "auxiliary": (
        lambda w: w | {"AuxLogits.fc.weight": torch.ones(2), "aux1.conv.weight": torch.ones(2)},
        "left out 2 of its entries (AuxLogits.fc, aux1.conv), which the network does not have",
    ),
    "raw and EMA": (
        lambda w: {"state_dict_ema": other(), "state_dict": w},
        "the weights under state_dict are used, those under state_dict_ema left out (choose with --weights_key)",
    ),
    "EMA beside, in one dictionary": (
        lambda w: {"state_dict": behind("ema.", other()) | behind("model.", w)},
        "the prefix model was removed from its names; the weights under state_dict.model are used, "
        "those under state_dict.ema left out (choose with --weights_key); left out 14 of its entries (ema.stage1.0, "
        "ema.stage1.1, ema.stage2.0, ...)",
    ),
    "the same twice": (lambda w: {"model": w, "state_dict": w}, ""),
    "student and another teacher": (
        lambda w: {"model": behind("module.student.", w) | behind("module.teacher.", other(8)), "epoch": 240},
        "the prefix module.student was removed from its names; the weights under model.module.student are used, "
        "those under model.module.teacher left out (choose with --weights_key); left out 14 of its entries "
        "(module.teacher.stage1.0, module.teacher.stage1.1, module.teacher.stage2.0, ...)",
    ),
    "teacher first": (
        lambda w: {"teacher": other(), "student": w},
        "the weights under student are used, those under teacher left out (choose with --weights_key)",
    ),
    "beside an optimiser": (lambda w: {"model": w, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}}, ""),
}


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_found_and_the_choice_is_said(tmp_path: Path, form: str) -> None:
    make, sentence = FORMS[form]
    saved = QuickNet()
    net, notes = said(tmp_path, make(saved.state_dict()))
    assert notes == sentence
    for name, value in saved.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name


def test_a_file_of_mdistiller_serves_the_student_and_the_teacher(tmp_path: Path) -> None:
    student, teacher = zoo("resnet8", 5), zoo("resnet14", 5)
    together = behind("module.student.", student.state_dict()) | behind("module.teacher.", teacher.state_dict())
    content = {"epoch": 240, "model": together, "optimizer": {"state": {}, "param_groups": []}, "best_acc": 70.1}
    for saved, fresh, name in ((student, zoo("resnet8", 5), "student"), (teacher, zoo("resnet14", 5), "teacher")):
        net, notes = said(tmp_path, content, fresh)
        assert notes.startswith(f"the prefix module.{name} was removed from its names; ")
        assert torch.equal(net.get_parameter("fc.weight"), saved.get_parameter("fc.weight"))


@pytest.mark.parametrize("key", ["state_dict_ema", "module.ema"])
def test_a_key_chooses(tmp_path: Path, key: str) -> None:
    raw, averaged = QuickNet().state_dict(), QuickNet().state_dict()
    content = {"state_dict": raw, "state_dict_ema": averaged}
    if key == "module.ema":
        content = {"model": behind("module.ema.", averaged) | behind("module.net.", raw)}
    net, _ = said(tmp_path, content, key=key)
    assert torch.equal(net.get_parameter("head.weight"), averaged["head.weight"])


def test_a_key_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--weights_key ma: .* holds no such .*; it has state_dict and model_ema"):
        said(tmp_path, {"state_dict": other(), "model_ema": other()}, key="ma")
    torch.save({"model": other()}, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"but no weights under any of ema"):
        read_weights(tmp_path / "weights.pth", "ema")


def test_a_network_behind_a_prefix_of_its_own_takes_bare_names(tmp_path: Path) -> None:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = QuickNet()

    saved = QuickNet()
    net, notes = said(tmp_path, saved.state_dict(), Wrapped())
    assert notes == "the network's prefix model was added to its names"
    assert torch.equal(net.get_parameter("model.head.weight"), saved.head.weight)


def test_names_of_another_network_are_shown_beside_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"another network: its names are a.weight, ... and the network's are st"):
        said(tmp_path, {"a.weight": torch.ones(1)})


def test_what_the_network_does_not_have_is_refused_if_nobody_knows_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unexpected extra.weight \(0 missing, 1 unexpected of 14\)"):
        said(tmp_path, other() | {"extra.weight": torch.ones(1)})
