from dataclasses import replace

import torch

from stillhouse.batch import Batch
from stillhouse.distillation import Distillation
from stillhouse.methods import AT, CE
from stillhouse.methods.wrappers import StrongView
from stillhouse.taps import Tapped
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.contract import CITATION
from tests.helpers.networks import tiny

NOTES = {CITATION}


def _two_views() -> Batch:
    return replace(tiny_batch(), strong=tiny_batch(step=1).images)


def test_any_method_sees_the_other_view() -> None:
    teacher = Tapped(tiny(width=6, seed=1)).eval()
    data = replace(TINY_DATA, strong_view=True)
    distillation = Distillation(tiny(), teacher, [CE(), AT(), StrongView(CE()), StrongView(AT())], data).eval()
    both = _two_views()
    assert both.strong is not None
    terms = distillation(both, teacher.forward_batch(both))
    swapped = replace(both, images=both.strong, strong=both.images)
    swapped_terms = distillation(swapped, teacher.forward_batch(swapped))
    for term, strong in (("CE", "StrongView"), ("AT", "StrongView2")):
        torch.testing.assert_close(terms[strong], swapped_terms[term])
        assert terms[strong].item() != terms[term].item()


def test_rows_keep_views_together() -> None:
    both, keep = _two_views(), torch.tensor([4, 1])
    assert both.strong is not None
    some = both.rows(keep)
    assert some.strong is not None
    torch.testing.assert_close(some.strong, both.strong[keep])
    net = Tapped(tiny()).eval()
    outputs = net.forward_batch(both).rows(keep)
    assert outputs.strong is not None
    torch.testing.assert_close(outputs.strong.logits, net(both.strong[keep]).logits)
