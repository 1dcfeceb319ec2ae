"""The contract that every distillation method fulfils. A method is one file with one final class."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from torch import Tensor, nn

from .anatomy import Anatomy
from .batch import Batch, DataInfo, Preparing
from .ranges import Checked, Filled, NonNegative, Temperature
from .taps import Outputs, Tapped

Places = Annotated[str | Sequence[tuple[str, str]], Filled()]  # "stages", any one name, or (student, teacher) names


class Spot(NamedTuple):
    """A place in the student paired with a place in the teacher."""

    student: str
    teacher: str


class Group(NamedTuple):
    """Parameters with optimiser settings of their own, relative to the run's."""

    parameters: Sequence[nn.Parameter]
    lr_scale: float = 1.0
    weight_decay: float | None = None  # None: the run's


class Warmup(NamedTuple):
    """Modules that are trained first, on a loss of their own, while everything else is in eval mode."""

    epochs: int
    trains: Sequence[nn.Module]
    loss: Callable[[Outputs, Outputs, Batch], Tensor]
    lr: float | None = None  # None: the run's; constant either way


class Method(Checked, Preparing, ABC):
    """A term of the student's loss, computed from the outputs of student and teacher for a batch.

    Constructors take hyper-parameters only, with the paper's values as defaults; a method keeps its state in buffers.
    Only `forward` must be written. Everything that can be overridden, in the order in which it is called:

    | member | when | for |
    | --- | --- | --- |
    | `needs_teacher` | at any time | False for a loss that depends on labels alone |
    | `needs_strong_view` | at any time | True for a loss that uses a second, strongly augmented view of each image |
    | `needs_teacher_classes` | once spots are chosen | True for a loss that reads the teacher's logits or classifier |
    | `ramps_up` | at any time | True for a loss that is scaled down in the first epochs |
    | `teacher_statistics` | at any time | "batch" if the teacher's BatchNorms must use each batch's statistics |
    | `choose_spots` | once, first | the places that are read in both networks |
    | `build` | once, after that | connectors, memories and anything else that depends on shapes or the data set |
    | `warmups` | once, after that | training that comes before distillation |
    | `groups` | once a phase | the method's own parameters and their optimiser settings |
    | `begin_epoch` | before an epoch's first step | a schedule, a count that starts again |
    | `before_step` | before every step | random numbers, and numbers that depend on the epoch, as tensors |
    | `forward` | every step | the loss |
    | `after_step` | after the optimiser's step | a running average |
    | `observations` | at the end of an epoch | columns in metrics.jsonl |
    | `deploy` | at the end of an epoch and of the run | the network to ship, if it is more than the student |
    | `per_image` | by `stillhouse inspect` | numbers for each held-out image |

    Args:
        weight: The factor by which `Distillation` multiplies the loss.
    """

    observations_caption: str = ""  # of the figures that `stillhouse inspect` draws
    per_image_caption: str = ""

    def __init__(self, weight: NonNegative):
        super().__init__()
        self.weight = weight
        self.spots: Sequence[Spot] = ()
        self.teacher_statistics: Literal["running", "batch"] = "running"
        self.ramps_up = False

    @property
    def needs_teacher(self) -> bool:
        """Return False if the loss does not depend on the teacher, such as cross-entropy."""
        return True

    @property
    def needs_strong_view(self) -> bool:
        """Return True if the loss depends on a second, strongly augmented view of each image."""
        return False

    @property
    def needs_teacher_classes(self) -> bool:
        """Return True if the loss reads the teacher's logits or classifier: both networks need the same classes."""
        return self.needs_teacher and any(spot.teacher == "logits" for spot in self.spots)

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        """Return the places this method reads; raise ValueError if these two networks do not have them."""
        return ()

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        """Create connectors, memories, ... from outputs of two images; raise ValueError if the networks do not fit."""

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        """Return the training that comes before distillation, e.g. of an autoencoder on the teacher's features."""
        return ()

    def groups(self) -> Sequence[Group]:
        """Return the method's own parameters that are trained along with the student."""
        return [Group([p for p in self.parameters() if p.requires_grad])]

    def begin_epoch(self, epoch: int) -> None:
        """Set buffers for an epoch, counted from 0 in each phase; not called again when an epoch is resumed."""

    @abstractmethod
    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Return the unweighted loss: (N,) where it is defined per sample, otherwise ()."""

    def after_step(self, batch: Batch) -> None:
        """Update anything that follows the student, such as a running average, after the optimiser's step."""

    def observations(self) -> Mapping[str, Tensor]:
        """Return scalars for columns in metrics.jsonl, read once an epoch; all GROUP/NAME of a GROUP share a figure."""
        return {}

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        """Return (N,) numbers for each held-out image after training, named as in `observations`."""
        return {}

    def deploy(self, student: nn.Module) -> nn.Module:
        """Return the network to ship, for methods that add a part of their own to the student."""
        return student

    def at_spot(self, modules: nn.ModuleList, spot: Spot) -> nn.Module:
        """Return the module of one spot from a list that holds one for each of `spots`, in their order."""
        return modules[self.spots.index(spot)]


class SpotMethod(Method):
    """A method that is a sum over its spots, so that each spot can be switched on and off separately."""

    @abstractmethod
    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Return the part of the loss that one spot contributes: (N,) or ().

        A loss of shape () covers only the samples in `batch.active`; the caller masks one of shape (N,).
        """

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        first, *others = (self.loss_at(spot, student, teacher, batch) for spot in self.spots)
        return sum(others, start=first)


class LogitMethod(SpotMethod):
    """A method that compares logits only."""

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        return [Spot("logits", "logits")]

    @abstractmethod
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """(N, C), (N, C), (N,) -> (N,)"""

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return self.loss(student.logits, teacher.logits, batch.labels)


class TemperedMethod(LogitMethod):
    """A logit method of the form temperature^2 f(student / temperature, teacher / temperature, labels).

    Args:
        temperature: Divides both networks' logits.
    """

    def __init__(self, weight: NonNegative, temperature: Temperature):
        super().__init__(weight)
        self.temperature = temperature


class FeatureMethod(SpotMethod):
    """A method that compares features spot by spot, each after a connector of its own.

    Args:
        at: `"stages"` pairs stages, deepest first; another name is a place in both; a list names (student, teacher).
    """

    def __init__(self, weight: NonNegative, at: Places = "stages"):
        super().__init__(weight)
        self.at = at
        self.connectors = nn.ModuleList()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        return pair(self.at, student, teacher)

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for spot in self.spots:
            self.connectors.append(self.connector(student[spot.student], teacher[spot.teacher]))

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        """Return a module that brings student features to the teacher's shape; raise ValueError if none can."""
        return nn.Identity()

    @abstractmethod
    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Features at one spot, the student's after its connector -> (N,) or ()."""

    def features_at(self, spot: Spot, student: Outputs, teacher: Outputs) -> tuple[Tensor, Tensor]:
        """Return the features at one spot, the student's after its connector."""
        connected: Tensor = self.at_spot(self.connectors, spot)(student[spot.student])
        return connected, teacher[spot.teacher]

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        s, t = self.features_at(spot, student, teacher)
        loss = self.loss(s, t)
        if loss.ndim or batch.active is None:
            return loss
        keep = batch.active.nonzero().squeeze(1)  # waits for the device; RelationalMethods avoid it
        return self.loss(s[keep], t[keep]) if len(keep) > 1 else 0 * loss


class RelationalMethod(FeatureMethod):
    """A feature method that compares samples with each other, so each sample's loss depends on the others."""

    @abstractmethod
    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        """Features at one spot and (N,) zeros and ones -> (), as if the batch held only the active samples."""

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return self.loss(*self.features_at(spot, student, teacher), batch.active)


def pair(at: Places, student: Anatomy, teacher: Anatomy) -> list[Spot]:
    """Return the spots that `at` names; "stages" pairs from the deepest up, so shallow ones may have no partner."""
    if not isinstance(at, str):
        return [Spot(*places) for places in at]
    if at not in ("stages", "preacts"):
        return [Spot(at, at)]
    s, t = (len(getattr(net, at)) for net in (student, teacher))
    if min(s, t) == 0:
        who = "student" if s == 0 else "teacher"
        raise ValueError(f"the {who} must have {at}, but none were found; name places with at=[(student, teacher)]")
    return [Spot(f"{at[:-1]}{s - i}", f"{at[:-1]}{t - i}") for i in reversed(range(min(s, t)))]


def needs_maps(method: str, **features: Tensor) -> None:
    """Refuse features that are not (N, C, H, W) maps, for methods that depend on positions in the image."""
    for who, feature in features.items():
        if feature.ndim != 4:
            raise ValueError(
                f"{method} compares maps (N, C, H, W), but the {who}'s features are {tuple(feature.shape)} "
                f"(a transformer's tokens or a vector); choose a method that reads logits or embeddings"
            )
