"""The teacher's classifier, for methods that apply it to the student's features."""

import copy
from itertools import chain

from torch import Tensor, nn

from ...anatomy import Anatomy
from ...taps import Outputs, Tapped
from .feature_maps import as_map


def frozen_classifier(teacher: Outputs, place: str) -> nn.Linear:
    """Return a frozen copy of the layer that computes the logits from the mean of the teacher's features at a place.

    Raises:
        ValueError: If this is not done by one linear layer.
    """
    head, features = teacher.net.head, as_map(teacher[place]).mean((2, 3))
    if not isinstance(head, nn.Linear) or not _explains(head, features, teacher.logits):
        raise ValueError(
            f"the teacher's classifier must be one linear layer on the mean of its {place!r}, so that it can read the "
            f"student's features, but its logits are not those of such a layer (its head is a {type(head).__name__}); "
            f"choose another place, such as 'embedding', or a method that does not need the classifier"
        )
    copied = nn.Linear(head.in_features, head.out_features, head.bias is not None).to(head.weight).requires_grad_(False)
    for parameter, theirs in zip(copied.parameters(), head.parameters(), strict=True):
        parameter.copy_(theirs.detach())  # not by state dict, whose shapes may be those of a convolution
    return copied


def _explains(head: nn.Linear, features: Tensor, logits: Tensor) -> bool:
    if features.shape[1] != head.in_features:
        return False
    return bool((head(features.to(head.weight)) - logits).abs().max() <= 1e-3 * logits.abs().max())


class ReusedClassifier(nn.Module):
    """A student up to one place, then a projector, the mean over positions, and a teacher's classifier.

    The student's weights are shared, not copied: training the student trains this network. Its own classifier is left
    out. Weights of this network load without a teacher:

        network = ReusedClassifier(zoo("resnet8x4", 100), Projector(256, 256, (8, 8)), nn.Linear(256, 100))
        load_weights(network, Path("student.safetensors"))

    Args:
        student: The bare network.
        projector: (N, Cs, H, W) -> (N, Ct, H, W)
        classifier: (N, Ct) -> (N, C)
        place: Last place of the student that is used, a role or path.
        anatomy: The student's; found by a dry run if omitted.
    """

    def __init__(
        self,
        student: nn.Module,
        projector: nn.Module,
        classifier: nn.Module,
        place: str = "map",
        anatomy: Anatomy | None = None,
    ):
        super().__init__()
        tensors = chain(student.parameters(), student.buffers())
        body = copy.deepcopy(student, {id(tensor): tensor for tensor in tensors})  # new modules, the same tensors
        self.student = Tapped(body, anatomy)
        self.projector, self.classifier = projector, classifier
        self.place = place
        landmarks = self.student.anatomy
        if landmarks.head is not None:
            body.set_submodule(landmarks.head, nn.Identity())
        self.student.tap([place])
        inside = "student.model.{}".format
        self.anatomy = Anatomy(
            stages=tuple(map(inside, landmarks.stages)),
            stem=inside(landmarks.stem) if landmarks.stem else None,
            preacts=tuple(map(inside, landmarks.preacts)),
            norms=tuple(map(inside, landmarks.norms)),
            map=None if landmarks.channels_last else "projector",
            head="classifier",
            channels_last=landmarks.channels_last,
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C)"""
        projected = self.projector(self.student(images)[self.place])
        logits: Tensor = self.classifier(projected.mean((2, 3)))
        return logits
