from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stillhouse.checkpoints.load import load_weights
from stillhouse.models import zoo
from stillhouse.models.shufflenetv2_preact import PreactShuffleV2, _BasicUnit, _DownUnit
from tests.golden.closed_form import fill, u
from tests.helpers.landmarks import anatomy_of, places, read

WIDTHS = (48, 96, 192, 1024)


@pytest.mark.parametrize(
    ("name", "with_10_classes", "with_100_classes"),
    [
        ("shufflenetV2_0.5", 356_018, 448_268),
        ("shufflenetV2_1.0", 1_268_646, 1_360_896),
        ("shufflenetV2_1.5", 2_492_466, 2_584_716),
        ("shufflenetV2_2.0", 5_366_566, 5_550_976),
    ],
)
def test_parameters(name: str, with_10_classes: int, with_100_classes: int) -> None:
    for num_classes, parameters in ((10, with_10_classes), (100, with_100_classes)):
        with torch.device("meta"):
            network = zoo(name, num_classes)
        assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_shapes_and_keys() -> None:
    network = PreactShuffleV2(WIDTHS, 10)
    anatomy = anatomy_of(network)
    _, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    shapes = [tuple(seen[path].shape[1:]) for path in (str(anatomy.stem), *anatomy.stages, str(anatomy.map))]
    assert shapes == [(24, 32, 32), (48, 16, 16), (96, 8, 8), (192, 4, 4), (1024, 4, 4)]
    assert all(seen[stage].min() < 0 for stage in anatomy.stages)
    convolutions = [key for key, value in network.named_parameters() if value.ndim == 4]
    assert convolutions[:6] == [
        "pre.0.weight",
        *(f"stage2.0.residual.{k}.weight" for k in (1, 4, 6)),
        *(f"stage2.0.shortcut.{k}.weight" for k in (1, 3)),
    ]
    assert convolutions[-1] == "conv5.1.weight"


def test_files_of_before_relus_had_numbers_still_load(tmp_path: Path) -> None:
    network, again, resumed = (PreactShuffleV2(WIDTHS, 10).eval() for _ in range(3))
    fill(network.state_dict())
    state = {network.former_names[name]: value for name, value in network.state_dict().items()}
    assert {
        "stage2.0.residual.0.weight",
        "stage2.0.shortcut.0.weight",
        "stage2.1.residual.6.bias",
        "conv5.0.weight",
    } <= set(state)
    save_file(state, tmp_path / "student.safetensors")
    load_weights(again, tmp_path / "student.safetensors")
    nn.Sequential(nn.Identity(), resumed).load_state_dict({f"1.{name}": value for name, value in state.items()})
    torch.save({"model": network.state_dict()}, tmp_path / "now.pt")
    for loaded in (again, resumed):
        assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in network.state_dict().items())
    load_weights(again, tmp_path / "now.pt")
    del state["fc.bias"]
    save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match=r"does not fit PreactShuffleV2: missing .*\(.* missing, .* unexpected"):
        load_weights(again, tmp_path / "part.safetensors")


def test_the_kept_half_of_a_unit_passes_a_relu() -> None:
    network = PreactShuffleV2(WIDTHS, 10)
    _, seen = read(network, u((2, 3, 32, 32), 1).float(), ["stage2.0", "stage2.1"])
    kept, changed = seen["stage2.1"].reshape(2, -1, 2, 16, 16).unbind(2)
    assert torch.equal(kept, seen["stage2.0"].chunk(2, dim=1)[0].relu())
    assert changed.min() < 0


def test_function_is_the_usual_network_with_a_relu_behind_the_stem() -> None:
    network = PreactShuffleV2(WIDTHS, 10).double().eval()
    fill(network.state_dict())
    images = u((2, 3, 32, 32), 1)

    def usual(x: Tensor) -> Tensor:
        x = network.pre(x).relu()
        for unit in (*network.stage2, *network.stage3, *network.stage4):
            assert isinstance(unit, _DownUnit | _BasicUnit)
            if isinstance(unit, _DownUnit):
                left, right = unit.shortcut(x).relu(), unit.residual(x).relu()
            else:
                left, right = x.chunk(2, dim=1)
                right = unit.residual(right).relu()
            x = torch.stack([left, right], dim=2).flatten(1, 2)
        logits: Tensor = network.fc(network.conv5(x).relu().mean((2, 3)))
        return logits

    with torch.no_grad():
        torch.testing.assert_close(network(images), usual(images), rtol=1e-12, atol=1e-12)
