"""How this package is asked for each recorded case: its methods, with the weights and choices of the code base."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from stillhouse.distillation import Distillation
from stillhouse.method import FeatureMethod, LogitMethod
from stillhouse.methods import (
    AB,
    AT,
    CC,
    CE,
    CRD,
    DKD,
    DSPP,
    FSP,
    FT,
    HKD,
    IRG,
    KD,
    NKD,
    NST,
    OFD,
    PKT,
    RKD,
    SP,
    VID,
    FitNet,
    ReviewKD,
    SemCKD,
)
from stillhouse.methods.wrappers import Ramped, ScaleDecoupled

from .closed_form import u
from .trajectory import Row

FOUR_MAPS = [("stem", "stem"), ("stage1", "stage1"), ("stage2", "stage2"), ("stage3", "stage3")]
WRN_NORMS = ["block2.layer.0.bn1", "block3.layer.0.bn1", "bn1"]
FOUR_NORMS = ["block1.layer.0.bn1", *WRN_NORMS]


class _SumAT(FeatureMethod):
    """What one code base calls attention: sums over channels, each map over the norm of every sample's map."""

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (self.attention(student) - self.attention(teacher)).square().mean()

    def attention(self, features: Tensor) -> Tensor:
        maps = features.sum(1)
        norms: Tensor = torch.linalg.vector_norm(maps, dim=(1, 2))
        return maps / norms.reshape(-1, 1, 1, 1)


def _paraphraser(distillation: Distillation) -> list[nn.Parameter]:
    method = distillation.methods["FT"]
    assert isinstance(method, FT)
    return [*method.encoders.parameters(), *method.decoders.parameters()]


_MARGIN_RELU = Row(
    lambda: [CE(), OFD(teacher_statistics="running", at=[(norm, norm) for norm in FOUR_NORMS])], read_twice=FOUR_NORMS
)


def _crd(*others: float) -> Row:
    """CRD beside CE and, with these weights, KD, on memories and candidates that are given."""

    def contrast(distillation: Distillation) -> CRD:
        method = distillation.methods["CRD"]
        assert isinstance(method, CRD)
        return method

    def prepare(distillation: Distillation) -> None:
        method = contrast(distillation)
        method.student_memory.bank.copy_((3 / 128) ** 0.5 * u((40, 128), 701))
        method.teacher_memory.bank.copy_((3 / 128) ** 0.5 * u((40, 128), 702))
        steps = torch.tensor([0, *range(1, 36, 5)])  # from the positive to itself and to the negatives
        method.candidates = lambda batch: (batch.indices[:, None] + steps) % 40  # type: ignore[method-assign]

    def banks(distillation: Distillation) -> dict[str, Tensor]:
        method = contrast(distillation)
        z = method.log_normalisers.exp().nan_to_num(posinf=-1)
        memories = {"student_bank": method.student_memory.bank, "teacher_bank": method.teacher_memory.bank}
        return {**memories, "Z_s": z[0], "Z_t": z[1]}

    return Row(lambda: [CE(), *(KD(weight) for weight in others), CRD()], prepare=prepare, banks=banks)


def _readme() -> Row:
    """The setting in the README of DSPP's code."""
    return Row(lambda: [CE(), KD(1.0), DSPP(levels=3, divisor=100, strong_weight=1.0, weak_weight=10.0)])


def _regional_kd(*scales: int) -> Row:
    return Row(lambda: [CE(0.1), ScaleDecoupled.reference(KD(0.9), scales)])


def _regional(method: Callable[[], LogitMethod], *scales: int) -> Row:
    return Row(lambda: [CE(), Ramped(ScaleDecoupled.reference(method(), scales))])


def _nkd(all_classes: bool) -> NKD:
    return NKD(gamma=8.0, temperature=4.0, all_classes=all_classes)


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
    # This teacher's embeddings are a thousand times longer than their distances, which the published code takes as
    # differences of squared lengths and so knows to nine digits; what is lost grows over three steps, and is another
    # number in every run of the code's own formula: up to 1.7e-6, where ours is off by 1.1e-6.
    "R rkd vgg13->MobileNetV2": Row(lambda: [CE(), RKD()], tolerance=3e-6),
    "R rkd_lr0.01 vgg13->MobileNetV2": Row(lambda: [CE(), RKD()], tolerance=3e-6),
    "R pkt resnet20->resnet8": Row(lambda: [CE(), PKT()]),
    "R nst resnet20->resnet8": Row(lambda: [CE(), NST()]),
    "R fsp_init resnet20->resnet8": Row(lambda: [FSP()]),
    "R crd resnet20->resnet8": _crd(),
    "R crd resnet32x4->resnet8x4": _crd(),
    "R crd vgg13->MobileNetV2": _crd(),
    "R crd_lr0.01 vgg13->MobileNetV2": _crd(),
    "R crd_kd resnet20->resnet8": _crd(1.0),
    "R ab_init resnet20->resnet8": Row(lambda: [AB()]),
    "R ab_init wrn_16_2->wrn_16_1": Row(lambda: [AB()], read_twice=WRN_NORMS),
    "R ab_init vgg13->MobileNetV2": Row(lambda: [AB()]),
    "R ab_init_lr0.01 vgg13->MobileNetV2": Row(lambda: [AB()]),
    "R ab_stage2 wrn_16_2->wrn_16_1": Row(lambda: [CE(), KD(1.0), AB()], read_twice=WRN_NORMS),
    "R ft_init resnet20->resnet8": Row(lambda: [FT()], _paraphraser),
    "R ft_init_lr0.01 resnet20->resnet8": Row(lambda: [FT()], _paraphraser),
    "R ft_init_fanin resnet20->resnet8": Row(lambda: [FT()], _paraphraser),
    "R ft resnet20->resnet8": Row(lambda: [CE(), FT(200.0, compare="attention")]),
    "R ft_fanin resnet20->resnet8": Row(lambda: [CE(), FT(200.0, compare="attention")]),
    # SemCKD
    "S hkd resnet20->resnet8": Row(lambda: [CE(), KD(1.0), HKD(weighting="first_stage")]),
    "S irg resnet20->resnet8": Row(lambda: [CE(), KD(1.0), IRG()]),
    "S irg vgg13->MobileNetV2": Row(lambda: [CE(), KD(1.0), IRG()]),
    "S irg_transform01 resnet20->resnet8": Row(lambda: [CE(), KD(1.0), IRG(transforms=[("stem", "stage1")])]),
    "S semckd resnet20->resnet8": Row(lambda: [CE(), KD(1.0), SemCKD()]),
    "S semckd resnet32x4->resnet8x4": Row(lambda: [CE(), KD(1.0), SemCKD()]),
    # DSPP
    "D dspp_defaults resnet20->resnet8": Row(lambda: [CE(), DSPP()]),
    "D dspp_example resnet20->resnet8": _readme(),
    "D dspp_example resnet32x4->resnet8x4": _readme(),
    # SDD-CVPR2024
    "X nkd all-class epoch1 resnet20->resnet8": Row(lambda: [CE(), Ramped(NKD(all_classes=True))]),
    "X nkd all-class epoch20 resnet20->resnet8": Row(lambda: [CE(), Ramped(NKD(all_classes=True))]),
    "X nkd non-target epoch20 resnet20->resnet8": Row(lambda: [CE(), Ramped(NKD())]),
    "X sd_kd M=[1,2] resnet20->resnet8": _regional_kd(1, 2),
    "X sd_kd M=[1,2,4] resnet20->resnet8": _regional_kd(1, 2, 4),
    "X sd_kd M=[1,2,4] chosen labels resnet20->resnet8": _regional_kd(1, 2, 4),
    "X sd_dkd M=[1,2] epoch20 resnet20->resnet8": _regional(DKD, 1, 2),
    "X sd_dkd M=[1,2] epoch20 chosen labels resnet20->resnet8": _regional(DKD, 1, 2),
    "X sd_dkd M=[1,2,4] epoch1 resnet20->resnet8": _regional(DKD, 1, 2, 4),
    "X sd_dkd M=[1,2,4] epoch20 resnet20->resnet8": _regional(DKD, 1, 2, 4),
    "X sd_dkd M=[1,2,4] epoch20 chosen labels resnet20->resnet8": _regional(DKD, 1, 2, 4),
    "X sd_dkd M=[1,2,4] epoch20 chosen labels beta400 (clip active) resnet20->resnet8": _regional(
        lambda: DKD(beta=400.0), 1, 2, 4
    ),
    "X sd_nkd M=[1,2,4] epoch20 chosen labels all-class resnet20->resnet8": _regional(lambda: _nkd(True), 1, 2, 4),
    "X sd_nkd M=[1,2,4] epoch20 chosen labels non-target resnet20->resnet8": _regional(lambda: _nkd(False), 1, 2, 4),
    # mdistiller
    "M dkd resnet20->resnet8": Row(lambda: [CE(), Ramped(DKD())]),
    "M dkd_epoch20 resnet20->resnet8": Row(lambda: [CE(), Ramped(DKD())]),
    "M dkd_epoch20 vgg13->MobileNetV2": Row(lambda: [CE(), Ramped(DKD(beta=6.0))]),
    "M reviewkd resnet20->resnet8": Row(lambda: [CE(), Ramped(ReviewKD())]),
    "M reviewkd_epoch20 resnet20->resnet8": Row(lambda: [CE(), Ramped(ReviewKD())]),
    "M reviewkd_epoch20 resnet32x4->resnet8x4": Row(lambda: [CE(), Ramped(ReviewKD())]),
    "M reviewkd_epoch20 vgg13->vgg8": Row(lambda: [CE(), Ramped(ReviewKD())]),
    "M ofd resnet20->resnet8": Row(lambda: [CE(), OFD()]),
    "M ofd_float64_margins resnet20->resnet8": Row(lambda: [CE(), OFD()]),
    "M ofd wrn_16_2->wrn_16_1": Row(lambda: [CE(), OFD()], read_twice=WRN_NORMS),
    "M ofd_float64_margins wrn_16_2->wrn_16_1": Row(lambda: [CE(), OFD()], read_twice=WRN_NORMS),
    # github.com/PkuDavidGuan/Distillation
    "P pku_kd wrn-16-1->wrn-10-1": Row(lambda: [CE(0.8), KD(0.2, cross_entropy=True)]),
    "P pku_kd_T16 wrn-16-1->wrn-10-1": Row(lambda: [CE(0.8), KD(0.2, temperature=16.0, cross_entropy=True)]),
    "P pku_kd_native_sgd wrn-16-1->wrn-10-1": Row(lambda: [CE(0.8), KD(0.2, cross_entropy=True)]),
    "P pku_sp wrn-16-1->wrn-10-1": Row(lambda: [CE(), SP(at=FOUR_MAPS)]),
    "P pku_at wrn-16-1->wrn-10-1": Row(lambda: [CE(), _SumAT(30.0, FOUR_MAPS)]),
    "P pku_margin_relu wrn-16-1->wrn-10-1": _MARGIN_RELU,
    "P pku_margin_relu_float64_margins wrn-16-1->wrn-10-1": _MARGIN_RELU,
    "P pku_margin_relu_native_sgd wrn-16-1->wrn-10-1": _MARGIN_RELU,
}
