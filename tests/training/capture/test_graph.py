"""Tensors that stay where they are, and graphs that are replayed on them."""

from dataclasses import replace

import pytest
import torch

from stillhouse.training.capture.graph import CUDAGraph, Graph, RepeatedCalls, fill, like
from tests.helpers.batches import tiny_batch

KINDS: list[type[Graph]] = [RepeatedCalls, CUDAGraph] if torch.cuda.is_available() else [RepeatedCalls]


def test_a_copy_has_the_layout_of_the_original_and_takes_its_values() -> None:
    batch = tiny_batch()
    wide = torch.arange(24.0).view(2, 3, 4)
    batch = replace(batch, images=batch.images.contiguous(memory_format=torch.channels_last), strong=wide[:, 1])
    batch = replace(batch, labels=torch.zeros(1).long().expand(6), prepared={torch.nn.Identity(): {"x": wide.mT}})
    kept = like(batch)
    fill(kept, batch)
    assert kept.views is None
    assert kept.strong is not None
    assert batch.strong is not None
    x, y = (next(iter(one.prepared.values()))["x"] for one in (kept, batch))
    pairs = [(kept.images, batch.images), (kept.labels, batch.labels), (kept.strong, batch.strong)]
    for mine, theirs in [*pairs, (x, y)]:
        assert torch.equal(mine, theirs)
        assert mine.data_ptr() != theirs.data_ptr()
        assert mine.stride() == theirs.stride() or 0 in theirs.stride()
    with pytest.raises(AssertionError):
        fill(kept, tiny_batch(size=5))


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_repeats_its_work_on_the_same_tensors(kind: type[Graph]) -> None:
    device = "cuda" if kind is CUDAGraph else "cpu"
    x, total, graph = torch.ones(3, device=device), torch.zeros(3, device=device), kind()

    def work() -> None:
        total.add_(x)

    with graph.beside():
        for _ in range(graph.warm_up):
            work()
    graph.join()
    before = total.clone()
    graph.capture(work)
    assert torch.equal(total, before)  # it was recorded, not done
    for value in (5.0, 7.0):
        x.fill_(value)
        with graph.beside():
            graph.replay()
        graph.join()
    assert torch.equal(total, before + 12)
