import torch

from stillhouse.batch import Batch, DataInfo
from stillhouse.methods.layers.decision_stats import Decisions

LABELS = torch.tensor([0, 0, 0, 1, 1, 2])
DATA = DataInfo(4, 8, LABELS)
EPOCHS = [  # of each sample at two places
    torch.tensor([[1, 0], [1, 0], [0, 0], [1, 1], [0, 1], [1, 0]]),
    torch.tensor([[1, 1], [0, 0], [0, 0], [1, 1], [0, 1], [0, 0]]),
]


def _record(decisions: Decisions, epoch: int) -> None:
    decisions.begin_epoch()
    order = torch.tensor([5, 2, 0, 4, 1, 3])
    for rows in order.view(3, 2):
        on = EPOCHS[epoch][rows].double().requires_grad_()
        batch = Batch(torch.zeros(2, 3, 8, 8), LABELS[rows], rows)
        decisions.record(on, on * 0.5, batch)


def test_counts_an_epoch() -> None:
    decisions = Decisions(["stage1", "logits"], DATA)
    _record(decisions, 0)
    read = {name: share.item() for name, share in decisions.read().items()}
    assert list(read) == [f"{what}/{place}" for what in ("on", "likely", "changed") for place in ("stage1", "logits")]
    torch.testing.assert_close([*read.values()], [4 / 6, 2 / 6, 2 / 6, 1 / 6, 0.0, 0.0], rtol=1e-6, atol=0)

    _record(decisions, 1)
    expected = [2 / 6, 3 / 6, 1 / 6, 1.5 / 6, 2 / 6, 1 / 6]
    torch.testing.assert_close([share.item() for share in decisions.read().values()], expected, rtol=1e-6, atol=0)
    assert torch.equal(decisions.latest, EPOCHS[1].to(torch.uint8))
    by_class = [[1 / 3, 1 / 3], [1 / 2, 1.0], [0.0, 0.0], [0.0, 0.0]]
    torch.testing.assert_close(decisions.rate_by_class, torch.tensor(by_class))


def test_is_saved_and_keeps_no_graph() -> None:
    through, stopped, resumed = (Decisions(["stage1", "logits"], DATA) for _ in range(3))
    assert (through.latest == 255).all()
    for decisions in (through, stopped):
        _record(decisions, 0)
    resumed.load_state_dict(stopped.state_dict())
    for decisions in (through, resumed):
        _record(decisions, 1)
    for name, value in through.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
        assert not value.requires_grad
