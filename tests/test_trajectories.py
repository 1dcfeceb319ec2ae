"""Training steps come out as in the published code, to about nine digits. A row says how to ask for a case here."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stillhouse.method import FeatureMethod
from stillhouse.methods import AT, CC, CE, FSP, HKD, IRG, KD, NST, PKT, RKD, SP, VID, FitNet
from stillhouse.outputs import Outputs

from .golden.trajectory import CASES, Row, deviations

FOUR_MAPS = [("stem", "stem"), ("stage1", "stage1"), ("stage2", "stage2"), ("stage3", "stage3")]


class _SumAT(FeatureMethod):
    """What one code base calls attention: sums over channels, each map over the norm of every sample's map."""

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (self.attention(student) - self.attention(teacher)).square().mean()

    def attention(self, features: Tensor) -> Tensor:
        maps = features.sum(1)
        norms: Tensor = torch.linalg.vector_norm(maps, dim=(1, 2))
        return maps / norms.reshape(-1, 1, 1, 1)


def _entropy(temperature: float, weight: float) -> Row:
    """KD as cross-entropy with the soft targets, which adds their entropy to the loss."""

    def constant(teacher: Outputs) -> Tensor:
        log_q = F.log_softmax(teacher.logits / temperature, dim=1)
        return -weight * temperature**2 * (log_q.exp() * log_q).sum(1).mean()

    return Row(lambda: [CE(1 - weight), KD(weight, temperature)], constant=constant)


# By "source method teacher->student".
ROWS = {
    # RepDistiller
    "R kd resnet20->resnet8": Row(lambda: [CE(0.1), KD(0.9)]),
    "R kd resnet32x4->resnet8x4": Row(lambda: [CE(0.1), KD(0.9)]),
    "R kd vgg13->MobileNetV2": Row(lambda: [CE(0.1), KD(0.9)]),
    "R kd_lr0.01 vgg13->MobileNetV2": Row(lambda: [CE(0.1), KD(0.9)]),
    "R fitnet resnet20->resnet8": Row(lambda: [CE(), FitNet()]),
    "R fitnet resnet32x4->resnet8x4": Row(lambda: [CE(), FitNet()]),
    "R fitnet vgg13->MobileNetV2": Row(lambda: [CE(), FitNet()]),
    "R fitnet_lr0.01 vgg13->MobileNetV2": Row(lambda: [CE(), FitNet()]),
    "R fitnet_hint4 vgg13->MobileNetV2": Row(lambda: [CE(), FitNet(at="stage4")]),
    "R at resnet20->resnet8": Row(lambda: [CE(), AT()]),
    "R at vgg13->MobileNetV2": Row(lambda: [CE(), AT()]),
    "R at_lr0.01 vgg13->MobileNetV2": Row(lambda: [CE(), AT()]),
    "R sp resnet20->resnet8": Row(lambda: [CE(), SP()]),
    "R sp vgg13->MobileNetV2": Row(lambda: [CE(), SP()]),
    "R sp_lr0.01 vgg13->MobileNetV2": Row(lambda: [CE(), SP()]),
    "R cc resnet20->resnet8": Row(lambda: [CE(), CC(0.02, correlation="consecutive")]),
    "R vid resnet20->resnet8": Row(lambda: [CE(), VID()]),
    "R vid resnet32x4->resnet8x4": Row(lambda: [CE(), VID()]),
    "R vid vgg13->MobileNetV2": Row(lambda: [CE(), VID()]),
    "R vid_lr0.01 vgg13->MobileNetV2": Row(lambda: [CE(), VID()]),
    "R rkd resnet20->resnet8": Row(lambda: [CE(), RKD()]),
    "R rkd vgg13->MobileNetV2": Row(lambda: [CE(), RKD()]),
    "R rkd_lr0.01 vgg13->MobileNetV2": Row(lambda: [CE(), RKD()]),
    "R pkt resnet20->resnet8": Row(lambda: [CE(), PKT()]),
    "R nst resnet20->resnet8": Row(lambda: [CE(), NST()]),
    "R fsp_init resnet20->resnet8": Row(lambda: [FSP()]),
    # SemCKD
    "S hkd resnet20->resnet8": Row(lambda: [CE(), KD(1.0), HKD(weighting="first_stage")]),
    "S irg resnet20->resnet8": Row(lambda: [CE(), KD(1.0), IRG()]),
    "S irg vgg13->MobileNetV2": Row(lambda: [CE(), KD(1.0), IRG()]),
    "S irg_transform01 resnet20->resnet8": Row(lambda: [CE(), KD(1.0), IRG(transforms=[("stem", "stage1")])]),
    # github.com/PkuDavidGuan/Distillation
    "P pku_kd wrn-16-1->wrn-10-1": _entropy(4.0, 0.2),
    "P pku_kd_T16 wrn-16-1->wrn-10-1": _entropy(16.0, 0.2),
    "P pku_kd_native_sgd wrn-16-1->wrn-10-1": _entropy(4.0, 0.2),
    "P pku_sp wrn-16-1->wrn-10-1": Row(lambda: [CE(), SP(at=FOUR_MAPS)]),
    "P pku_at wrn-16-1->wrn-10-1": Row(lambda: [CE(), _SumAT(30.0, FOUR_MAPS)]),
}


@pytest.mark.parametrize("name", ROWS)
def test_steps_come_out_as_in_the_published_code(name: str) -> None:
    found = deviations(CASES[name], ROWS[name])
    assert not found, "\n".join([f"{len(found)} numbers differ", *found[:20]])
