"""The contract every distillation method fulfils. A method is one file with one final class."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor, nn

from .anatomy import Anatomy
from .batch import Batch, DataInfo
from .taps import Outputs, Tapped

Places = str | Sequence[tuple[str, str]]  # "stages", one name for both networks, or (student, teacher) names


class Spot(NamedTuple):
    """A place in the student paired with a place in the teacher."""

    student: str
    teacher: str


class Group(NamedTuple):
    """Parameters with an optimiser setting of their own, relative to the recipe's."""

    parameters: Sequence[nn.Parameter]
    lr_scale: float = 1.0
    weight_decay: float | None = None  # None: the recipe's


class Warmup(NamedTuple):
    """Modules that are first trained by themselves, on a loss of their own. All else is in eval mode meanwhile."""

    epochs: int
    trains: Sequence[nn.Module]
    loss: Callable[[Outputs, Outputs, Batch], Tensor]
    lr: float | None = None  # None: the recipe's; constant either way


@dataclass(frozen=True)
class Phase:
    """One stretch of a student's training: what is in train mode and optimised, for how long, on what terms."""

    name: str
    epochs: int
    trains: Sequence[nn.Module]
    groups: Sequence[Group]
    terms: Callable[[Batch, Outputs | None], dict[str, Tensor]]
    lr: float | None = None  # None: the recipe's
    follows_schedule: bool = True  # otherwise the learning rate is constant
    tasks: frozenset[str] = frozenset()  # names of the terms that labels alone decide


class Method(nn.Module, ABC):
    """Charges the student for differing from the teacher.

    Constructors take hyper-parameters only, the paper's values being the defaults. Modules whose
    shape depends on the two networks are made in `build`, from the outputs of one probe batch.

    Args:
        weight: What `Distillation` multiplies the loss with.
    """

    def __init__(self, weight: float):
        super().__init__()
        self.weight = weight
        self.spots: Sequence[Spot] = ()
        self.teacher_statistics: Literal["running", "batch"] = "running"  # "batch": its BatchNorms in train mode

    @property
    def needs_teacher(self) -> bool:
        """Whether the loss depends on what the teacher said."""
        return True

    @property
    def needs_strong_view(self) -> bool:
        """Whether the loss depends on a second, strongly augmented view of each image."""
        return False

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        """The places this method reads.

        Raises:
            ValueError: If these two networks do not have the places it needs.
        """
        return ()

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        """Create what depends on shapes or on the data set: connectors, memories.

        Raises:
            ValueError: If the method makes no sense between these two networks.
        """

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        """Training that comes before distillation, e.g. of an autoencoder on the teacher's features."""
        return ()

    def groups(self) -> Sequence[Group]:
        """The method's own parameters that are trained along with the student."""
        return [Group([p for p in self.parameters() if p.requires_grad])]

    @abstractmethod
    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Unweighted loss: (N,) where it is defined per sample, otherwise ()."""

    def after_step(self, batch: Batch) -> None:
        """Called when the optimiser has stepped, e.g. to move a running average."""

    def observations(self) -> Mapping[str, Tensor]:
        """What is worth a column in metrics.jsonl beside the loss: scalars, read once at the end of an epoch.

        Those named GROUP/NAME with one GROUP are drawn together.
        """
        return {}

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        """What it makes of each held-out image, once trained: (N,) numbers, named as in `observations`, to be drawn."""
        return {}

    def deploy(self, student: nn.Module) -> nn.Module:
        """The network to ship, for methods whose student keeps a part of theirs."""
        return student


class SpotMethod(Method):
    """A method that is a sum over its spots, so that each can be switched on and off by itself."""

    @abstractmethod
    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """The part of the loss that one spot contributes: (N,) or ().

        A loss of () is about the samples that `batch.active` names, as if the batch held no others; one of (N,) is
        masked by whoever asks.
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

    def __init__(self, weight: float, temperature: float):
        super().__init__(weight)
        self.temperature = temperature


class FeatureMethod(SpotMethod):
    """A method that compares features spot by spot, each after a connector of its own.

    Args:
        at: `"stages"` pairs all stages, deepest with deepest; any other name is one place in both
            networks; a list of (student, teacher) names is taken as it is.
    """

    def __init__(self, weight: float, at: Places = "stages"):
        super().__init__(weight)
        self.at = at
        self.connectors = nn.ModuleList()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        return pair(self.at, student, teacher)

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for spot in self.spots:
            self.connectors.append(self.connector(student[spot.student], teacher[spot.teacher]))

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        """Brings student features to the teacher's shape.

        Raises:
            ValueError: If features of these shapes cannot be compared.
        """
        return nn.Identity()

    @abstractmethod
    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Features at one spot, the student's behind its connector -> (N,) or ()."""

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        s = self.connectors[self.spots.index(spot)](student[spot.student])
        t = teacher[spot.teacher]
        loss = self.loss(s, t)
        if loss.ndim or batch.active is None:
            return loss
        keep = batch.active.nonzero().squeeze(1)  # stops the device, so ours are RelationalMethods instead
        return self.loss(s[keep], t[keep]) if len(keep) > 1 else 0 * loss


class RelationalMethod(FeatureMethod):
    """A feature method that compares samples with each other, so that who takes part matters to everyone's loss."""

    @abstractmethod
    def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
        """Features at one spot and (N,) zeros and ones -> (), as if the batch held only the samples that are on."""

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        connector = self.connectors[self.spots.index(spot)]
        return self.loss(connector(student[spot.student]), teacher[spot.teacher], batch.active)


def pair(at: Places, student: Anatomy, teacher: Anatomy) -> list[Spot]:
    """Turns `at` into spots; "stages" pairs the deepest stages first and leaves the shallowest without a partner."""
    if not isinstance(at, str):
        return [Spot(*places) for places in at]
    if at not in ("stages", "preacts"):
        return [Spot(at, at)]
    role = at.removesuffix("s")
    s, t = (len(getattr(net, at)) for net in (student, teacher))
    if min(s, t) == 0:
        who = "student" if s == 0 else "teacher"
        raise ValueError(f"the {who} declares no {at}; name places yourself with at=[(student, teacher), ...]")
    return [Spot(f"{role}{s - i}", f"{role}{t - i}") for i in reversed(range(min(s, t)))]


def needs_maps(method: str, **features: Tensor) -> None:
    """Refuses what is not a (N, C, H, W) map, for methods that look at where in the image something is."""
    for who, feature in features.items():
        if feature.ndim != 4:
            raise ValueError(
                f"{method} compares maps (N, C, H, W), but the {who}'s features are {tuple(feature.shape)} "
                f"(a transformer's tokens or a vector); choose a method that reads logits or embeddings"
            )


def needs_equal_channels(method: str, spot: Spot, student: Tensor, teacher: Tensor) -> None:
    """Refuses networks of unequal width, for methods that compare maps channel by channel without a connector."""
    if student.shape[1] != teacher.shape[1]:
        raise ValueError(
            f"{method} compares channel by channel, but the student's {spot.student!r} has {student.shape[1]} channels "
            f"and the teacher's {spot.teacher!r} has {teacher.shape[1]}; choose networks of equal width, or a method "
            f"that reads maps of any width, such as NST"
        )
