import copy

import pytest
import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.taps import Outputs, Tapped, probe
from tests.helpers.batches import tiny_batch
from tests.helpers.networks import TinyNet, tiny

IMAGES = tiny_batch().images


def _tapped(*places: str, net: nn.Module | None = None) -> Tapped:
    tapped = Tapped(net or tiny()).eval()
    tapped.tap(places)
    return tapped


def _say(net: Tapped, images: Tensor = IMAGES) -> Outputs:
    outputs: Outputs = net(images)
    return outputs


def _hooks(net: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules())


def test_the_network_is_left_as_it_is() -> None:
    net = tiny().eval()
    expected = net(IMAGES)
    tapped = _tapped("stage1", "act1:in", "embedding", net=net)
    assert torch.equal(_say(tapped).logits, expected)
    assert torch.equal(net(IMAGES), expected)
    assert [f"model.{name}" for name, _ in net.named_parameters()] == [name for name, _ in tapped.named_parameters()]


def test_places_are_read_by_role_and_by_path() -> None:
    net = tiny().eval()
    outputs = _say(_tapped("stage1", "stage2", "last_stage", "act2", "embedding", "fc:in", "conv1", net=net))
    x1 = net.stem(IMAGES)
    raw = net.conv1(x1)
    x2 = net.act1(net.norm1(raw.clone()))
    x3 = net.act2(net.norm2(net.conv2(x2)))
    expected = {"stage1": x1, "conv1": raw, "stage2": x2, "last_stage": x3, "act2": x3}
    for place in ("embedding", "fc:in"):
        expected[place] = x3.mean((2, 3))
    assert outputs.tapped.keys() == expected.keys()
    for place, value in expected.items():
        torch.testing.assert_close(outputs[place], value)


def test_gradients_flow_through_taps() -> None:
    net = _tapped("stage2")
    (gradient,) = torch.autograd.grad(_say(net)["stage2"].sum(), net.model.get_parameter("conv1.weight"))
    assert gradient.abs().sum() > 0


def test_what_a_later_layer_overwrites_is_refused() -> None:
    net = _tapped("norm1")
    with pytest.raises(ValueError, match=r"TinyNet: the output of 'norm1' is overwritten in place by a later layer"):
        _say(net)


def test_the_input_of_a_layer_that_works_in_place_is_kept() -> None:
    net = tiny().eval()
    outputs = _say(_tapped("act1:in", "act1", net=net))
    torch.testing.assert_close(outputs["act1:in"], net.norm1(net.conv1(net.stem(IMAGES))))
    assert outputs["act1:in"].min() < 0
    assert torch.equal(outputs["act1"], outputs["act1:in"].relu())


def test_inputs_are_copied_only_where_they_must() -> None:
    seen: list[Tensor] = []
    net = _tapped("conv2:in", "act1")
    net.model.get_submodule("act1").register_forward_hook(lambda module, args, value: seen.append(value))
    outputs = _say(net)
    assert outputs["conv2:in"] is outputs["act1"] is seen[0]


def test_a_copy_records_into_itself() -> None:
    net = _tapped("stage2")
    before = _say(net)
    twin = copy.deepcopy(net)
    with torch.no_grad():
        twin.model.get_parameter("conv1.weight").mul_(-1)
    outputs = _say(twin)
    assert outputs.net is twin
    assert not torch.equal(outputs["stage2"], before["stage2"])
    assert torch.equal(_say(net)["stage2"], before["stage2"])


def test_nothing_is_kept_outside_of_its_own_forward() -> None:
    net = _tapped("stage2")
    net.model(IMAGES)
    assert net._seen is None
    with pytest.raises(RuntimeError):
        net(IMAGES[:, :1])
    assert net._seen is None


def test_asking_twice_is_free() -> None:
    net = _tapped("stage2")
    hooks = _hooks(net)
    net.tap(["stage2", "stage2", "logits"])
    assert _hooks(net) == hooks == _hooks(_tapped()) + 1


def test_unknown_places_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"TinyNet has no module 'layer7'; its top-level modules are stem, conv1, norm1"
    ):
        _tapped("layer7")
    with pytest.raises(ValueError, match=r"the network has no 'stage4'; it has stage1, stage2, stage3"):
        _tapped("stage4")


def test_a_module_that_never_runs_is_refused() -> None:
    net = _tapped("unused")
    with pytest.raises(ValueError, match=r"TinyNet never ran unused; name another place"):
        _say(net)


def test_what_is_not_a_tensor_is_refused() -> None:
    class Pairs(TinyNet):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(12, 12)

        def forward(self, images: Tensor) -> Tensor:
            self.unused(input=images)
            x, _ = self.lstm(self.conv2(self.conv1(self.stem(images))).mean((2, 3)))
            logits: Tensor = self.fc(x)
            return logits

    anatomy = Anatomy(head="fc")
    for place, kind in (("lstm", "tuple"), ("unused:in", "NoneType")):
        net = Tapped(Pairs(), anatomy)
        net.tap([place])
        with pytest.raises(ValueError, match=f"Pairs: '{place}' is a {kind}, not a tensor; name a module inside it"):
            _say(net)


def test_half_precision_comes_out_as_float32() -> None:
    outputs = _say(_tapped("stage2", net=tiny().bfloat16()), IMAGES.bfloat16())
    assert outputs.logits.dtype == outputs["stage2"].dtype == torch.float32
    exact = _say(_tapped("stage2", net=tiny().double()), IMAGES.double())
    assert exact.logits.dtype == exact["stage2"].dtype == torch.float64


def test_autocast_comes_out_as_float32() -> None:
    net = _tapped("conv1")
    plain = _say(net)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = _say(net)
    assert outputs.logits.dtype == outputs["conv1"].dtype == torch.float32
    assert not torch.equal(outputs["conv1"], plain["conv1"])
    torch.testing.assert_close(outputs["conv1"], plain["conv1"], rtol=0.1, atol=0.1)


def test_inference_mode_is_no_obstacle() -> None:
    net = _tapped("stage2", "act1:in")
    with torch.inference_mode():
        outputs = _say(net)
    torch.testing.assert_close(outputs["stage2"], outputs["act1:in"].relu())


def test_maps_that_end_in_channels_are_turned() -> None:
    class ChannelsLast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stage = nn.Linear(3, 7)
            self.fc = nn.Linear(7, 5)

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.fc(self.stage(images.permute(0, 2, 3, 1)).mean((1, 2)))
            return logits

    model = ChannelsLast()
    net = Tapped(model, Anatomy(stages=("stage",), head="fc", channels_last=True))
    net.tap(["stage1", "embedding"])
    outputs = _say(net)
    assert torch.equal(outputs["stage1"], model.stage(IMAGES.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
    assert outputs["embedding"].shape == (6, 7)


def test_the_head_turns_embeddings_into_logits() -> None:
    net = _tapped("embedding")
    outputs = _say(net)
    assert net.head is net.model.get_submodule("fc")
    torch.testing.assert_close(net.head(outputs["embedding"]), outputs.logits)


def test_without_a_head_there_is_no_embedding() -> None:
    with pytest.raises(
        ValueError, match=r"no 'embedding' was found in this network \(it has stage1, .*\); give its path"
    ):
        Tapped(tiny(), Anatomy(stages=("stem",))).tap(["embedding"])


def test_probing_changes_neither_modes_nor_statistics() -> None:
    net = _tapped("stage2").train()
    net.model.get_submodule("norm2").eval()
    modes = [module.training for module in net.modules()]
    state = copy.deepcopy(net.state_dict())
    outputs = probe(net, 16)
    assert outputs["stage2"].shape == (2, 8, 8, 8)
    assert not outputs.logits.requires_grad
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())


def test_probing_restores_modes_after_an_error() -> None:
    class OnlySmall(TinyNet):
        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[-1] <= 16, "too large for me"
            return super().forward(images)

    net = Tapped(OnlySmall(), Anatomy(head="fc"))
    with pytest.raises(ValueError, match=r"OnlySmall cannot take images of 32 x 32 px \(too large for me\); choose"):
        probe(net, 32)
    assert net.training
    assert net.model.training


def test_probing_follows_the_networks_number_format() -> None:
    assert probe(Tapped(tiny().double()), 16).logits.dtype == torch.float64


def test_what_is_no_classifier_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Conv2d returns \(2, 5, 14, 14\) for two images; a classifier returns"):
        probe(Tapped(nn.Conv2d(3, 5, 3), Anatomy(head="fc")), 16)


def test_a_network_may_have_a_precision_of_its_own() -> None:
    net = _tapped("stage2")
    exact = _say(net)
    net.precision = torch.bfloat16
    rough = _say(net)
    assert (exact.precision, rough.precision) == (None, torch.bfloat16)
    assert rough.logits.dtype == rough["stage2"].dtype == torch.float32
    assert not torch.equal(rough.logits, exact.logits)
    torch.testing.assert_close(rough.logits, exact.logits, rtol=0.05, atol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(_say(_tapped("stage2")).logits, rough.logits)


def test_methods_are_built_on_what_it_says_exactly() -> None:
    net = _tapped("stage2")
    exact = probe(net, 32)
    net.precision = torch.bfloat16
    again = probe(net, 32)
    assert torch.equal(exact.logits, again.logits)
    assert torch.equal(exact["stage2"], again["stage2"])
    assert net.precision == torch.bfloat16
