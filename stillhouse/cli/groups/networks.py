"""Options for networks: the network, its weights, and facts about it that its file does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...anatomy import Anatomy
from ...ranges import TYPE_CHECKING, check_options

if TYPE_CHECKING:
    from ...data import Data
    from ...models.spec import NetworkSource

Channels = Sequence[float]  # one number or three; checked by InputSpec.typed


@dataclass(frozen=True)
class NetworkOptions:
    """Network to train.

    Args:
        model: A network: of the zoo (`stillhouse list models`), `timm:NAME`, `torchvision:NAME`,
            `package.module:callable` or `file.py:callable`.
        weights: A file of weights to start from, or `pretrained` for timm's or torchvision's own.
        weights_key: For a file with several sets of weights: part of the names of those to use, such as
            state_dict_ema.
        skip_head: Start from a file's weights even if its classifier is for other classes, and train a new classifier.
        anatomy: Override the detected layer names.
    """

    model: str = "resnet32"
    weights: str | None = None
    weights_key: str | None = None
    skip_head: bool = False
    anatomy: Anatomy | None = None

    def source(self) -> NetworkSource:
        from ...models.spec import NetworkSource

        return NetworkSource(self.model, self.weights, self.anatomy, self.weights_key, self.skip_head)


@dataclass(frozen=True)
class TeacherOptions:
    """Images and classes that the teacher was trained on.

    Args:
        teacher_mean: Mean of each channel used to normalise its images, from 0 to 1: one number or three.
        teacher_std: Standard deviation of each channel, likewise.
        teacher_size: Height and width of its images in px.
        teacher_classes: Order of its outputs: natural (1, 2, 10), alphabetical (1, 10, 2), or a file with one class
            name per line, which may name more classes than the data have.
        teacher_weights_key: For a file with several sets of weights: part of the names of the teacher's, such as
            state_dict_ema.
        trust_teacher: Accept a teacher whose accuracy on the held-out images is no better than chance, or not clearly
            better.
    """

    teacher_mean: Channels | None = None
    teacher_std: Channels | None = None
    teacher_size: int | None = None
    teacher_classes: str | None = None
    teacher_weights_key: str | None = None
    trust_teacher: bool = False

    def __post_init__(self) -> None:
        check_options(self)

    def source(self, name: str, weights: str | None, anatomy: Anatomy | None) -> NetworkSource:
        """Return the teacher without the order of its classes, which depends on the data's."""
        from ...models.input_spec import InputSpec
        from ...models.spec import NetworkSource

        spec = InputSpec.typed(self.teacher_mean, self.teacher_std, self.teacher_size, "teacher_")
        return NetworkSource(name, weights, anatomy, self.teacher_weights_key, input=spec, option="teacher_")

    def for_data(self, source: NetworkSource, data: Data) -> NetworkSource:
        """Return the teacher with the order of its classes."""
        return with_classes(source, "--teacher_classes", self.teacher_classes, data)


@dataclass(frozen=True)
class MeasureOptions:
    """Images and classes that the network was trained on.

    Args:
        mean: Mean of each channel used to normalise its images, from 0 to 1: one number or three.
        std: Standard deviation of each channel, likewise.
        classes: Order of its outputs: natural (1, 2, 10), alphabetical (1, 10, 2), or a file with one class name per
            line, which may name more classes than the data have.
        weights_key: For a file with several sets of weights: part of the names of those to use, such as
            state_dict_ema.
    """

    mean: Channels | None = None
    std: Channels | None = None
    classes: str | None = None
    weights_key: str | None = None

    def __post_init__(self) -> None:
        check_options(self)

    def source(self, name: str, weights: str | None) -> NetworkSource:
        """Return the network without the order of its classes, which depends on the data's."""
        from ...models.input_spec import InputSpec
        from ...models.spec import NetworkSource

        spec = InputSpec.typed(self.mean, self.std, None, "")
        return NetworkSource(name, weights, key=self.weights_key, input=spec)

    def for_data(self, source: NetworkSource, data: Data) -> NetworkSource:
        """Return the network with the order of its classes."""
        return with_classes(source, "--classes", self.classes, data)


def with_classes(source: NetworkSource, option: str, value: str | None, data: Data) -> NetworkSource:
    """Return a network with the order of its outputs that an option gives."""
    from ...training.teachers.class_order import read_classes

    return source if value is None else replace(source, classes=read_classes(option, value, data.classes))
