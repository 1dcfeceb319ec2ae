import torch

from stillhouse.methods.layers.running_means import Means


def test_means_start_again_with_every_epoch() -> None:
    means = Means(["a", "b"])
    assert {name: mean.item() for name, mean in means.read().items()} == {"a": 0, "b": 0}
    for step in range(6):
        if step == 3:
            means.begin_epoch()
        means.record({"b": torch.tensor(10.0 * step), "a": torch.tensor(1.0), "c": torch.tensor(7.0)})
    assert {name: mean.item() for name, mean in means.read().items()} == {"a": 1, "b": 40}


def test_means_are_saved_and_keep_no_graph() -> None:
    means, again = Means(["a"]), Means(["a"])
    for step in range(2):
        means.record({"a": torch.tensor(float(step), requires_grad=True)})
    again.load_state_dict(means.state_dict())
    for each in (means, again):
        each.record({"a": torch.tensor(5.0)})
        assert each.read()["a"] == 2
        assert not each.read()["a"].requires_grad
