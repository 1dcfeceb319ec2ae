"""Class attention transfer: where in the image each class is seen."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Spot, SpotMethod, needs_maps
from ..ranges import Size
from ..taps import Outputs


class CATKD(SpotMethod):
    """Class Attention Transfer Based Knowledge Distillation (Guo et al., CVPR 2023, arXiv:2304.12777).

    The mean squared difference of class activation maps, the head's weights times the last map, (N, classes, H, W),
    averaged to `size` and, in the paper's equation, each scaled to unit length. Used with CE at weight 1.

    The authors' code normalises only for networks of different kinds. Its weights there, with sizes in brackets, are
    600 (4) for resnet32x4 -> ShuffleNetV1 and V2, 80 (4) for wrn_40_2 -> ShuffleNetV1, 15 and 40 (2) for vgg13 and
    ResNet50 -> MobileNetV2. Without normalisation, at size 2, they are 15 for resnet32x4 -> resnet8x4, 12 and 1.5 for
    wrn_40_2 -> wrn_16_2 and wrn_40_1, 4.5 for vgg13 -> vgg8, 0.7 for resnet56 -> resnet20.

    Args:
        size: Height and width at which the maps are compared.
        normalize: Scale maps to unit length.
    """

    def __init__(self, weight: float = 600.0, size: Size = 4, normalize: bool = True):
        super().__init__(weight)
        self.size, self.normalize = size, normalize

    @property
    def needs_teacher_classes(self) -> bool:
        return True

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        return [Spot("map", "map")]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        needs_maps("CATKD", student=student["map"], teacher=teacher["map"])
        for who, outputs in (("student", student), ("teacher", teacher)):
            head = outputs.net.head
            if not isinstance(head, nn.Linear) or head.in_features != outputs["map"].shape[1]:
                raise ValueError(
                    f"the {who} must have a linear layer that reads the {outputs['map'].shape[1]} channels of its last "
                    f"map, so that each class has a map there; choose a method that reads logits, or AT"
                )

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """(N, Cs, Hs, Ws), (N, Ct, Ht, Wt) -> (N,)"""
        with torch.no_grad():
            t = self.class_maps(teacher)
        return (self.class_maps(student) - t).square().mean((1, 2))

    def class_maps(self, outputs: Outputs) -> Tensor:
        """Outputs with a map (N, C, H, W) -> (N, classes, size * size)"""
        head = outputs.net.head
        assert isinstance(head, nn.Linear)
        averaged = F.adaptive_avg_pool2d(outputs["map"], self.size).flatten(2)  # before weighting, which is linear
        maps = head.weight.to(averaged) @ averaged
        return F.normalize(maps, dim=2) if self.normalize else maps
