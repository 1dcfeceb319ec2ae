"""Options for the images that a command reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from ...ranges import TYPE_CHECKING, Crop, Part, Positive, ProperFraction, Range, Resize, check_options
from ...training.config import TrainConfig

if TYPE_CHECKING:
    from ...data import Data
    from ...models.input_spec import InputSpec
    from ...training.progress import Display

BACKGROUND = "white"
_MEASURED = 20  # images on disk whose sizes are told


@dataclass(frozen=True)
class SplitOptions:
    """Data, seed, device and output folder.

    Args:
        validation: Fraction of the training images to hold out for choosing; the test images stay unseen until the end.
        train_fraction: Fraction of each class's training images, without those of --validation, to train on; the
            same images for every seed.
        flip: Mirror half of the training images; by default for all data except digits and svhn.
        crop: Part of each training image to show: shifted by a few pixels, reflected (the same with mirrored borders),
            resized (a random part of 8 to 100 % of the area) or none; auto is shifted in memory, resized on disk.
        rotation: Turn training images at random by up to so many degrees.
        mean: Mean of each channel to normalise images by, from 0 to 1: one number or three; by default the data's own.
        std: Standard deviation of each channel, likewise.
    """

    validation: ProperFraction = 0.0
    train_fraction: Part = 1.0
    flip: bool | None = None
    crop: Crop = "auto"
    rotation: Annotated[float, Range("between 0 and 180", 0, 180)] = 0.0
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None

    def __post_init__(self) -> None:
        check_options(self)
        if self.mean is not None or self.std is not None:
            self.normalisation()

    def normalisation(self) -> InputSpec:
        """Return the mean and std to normalise by; None in it where the data's own are used."""
        from ...models.input_spec import InputSpec

        return InputSpec.typed(self.mean, self.std, None, "")


DEFAULT_SPLIT = SplitOptions()


@dataclass(frozen=True)
class DataOptions:
    """Data, seed, device and output folder.

    A new option of this group or of `SplitOptions` is part of a run's identity only if it is not at its default.

    Args:
        data: A data set by name (`stillhouse list data`); hf:OWNER/NAME on the Hugging Face Hub; a folder of class
            folders, parquet or arrow files, webdataset tars, or images with a table of classes; such a table;
            `file.py:function` or `package.module:function`.
        image_size: Height and width in px; by default the data's own, or 16 to train on digits.
        resize: How to make images square: crop keeps the middle, squash changes the shape, pad adds background,
            squash_crop changes the shape and keeps the middle.
        background: Colour behind transparent pixels and around padded images (white, #808080, ...); none ignores
            transparency.
        max_value: Value of white in images of more than 8 bits; by default the largest of their type, 65535 for 16 bits
            and 1.0 for floats.
        image_column: Column of a table that holds the images or their paths; by default found by its name.
        label_column: Column of a table that holds the classes; by default found by its name.
        workers: Number of processes that read images from disk; by default chosen automatically.
        skip_broken: Leave out and count images that cannot be read, instead of refusing the data.
    """

    data: str = "digits"
    image_size: int | None = None
    resize: Resize = "crop"
    background: str = BACKGROUND
    max_value: Positive | None = None
    image_column: str | None = None
    label_column: str | None = None
    workers: Annotated[int, Range("between 0 and 256", 0, 256)] | None = None
    skip_broken: bool = False

    def __post_init__(self) -> None:
        check_options(self)

    def load(
        self,
        display: Display,
        split: SplitOptions = DEFAULT_SPLIT,
        *,
        batch_size: int = TrainConfig.batch_size,
        seed: int = 0,
        strong_view: bool = False,
        test_only: bool = False,
        is_trained: bool = True,
        trained_on: tuple[str, ...] | None = None,
        expected: InputSpec | None = None,
    ) -> Data:
        """Load the data and describe them to the user.

        Args:
            is_trained: False if no network is trained on them, so that it does not matter how training shows them.
            expected: Images that a trained network expects; they decide the size if the user does not.
        """
        from ...data import LoadOptions, load

        options = LoadOptions(
            batch_size=batch_size,
            seed=seed,
            image_size=self.image_size,
            validation=split.validation,
            train_fraction=split.train_fraction,
            resize=self.resize,
            flip=split.flip,
            crop=split.crop,
            rotation=split.rotation,
            mean=split.normalisation().mean,
            std=split.normalisation().std,
            background=self.background,
            max_value=self.max_value,
            image_column=self.image_column,
            label_column=self.label_column,
            workers=self.workers,
            strong_view=strong_view,
            skip_broken=self.skip_broken,
            test_only=test_only,
            trained_on=trained_on,
            say=display.say,
        )
        data = load(self.data, options)
        size = None if expected is None or self.image_size is not None else expected.size_of(data)
        if size not in (None, data.info.image_size):
            data = load(self.data, options.but(image_size=size))
        display.say(data.describe(not test_only, is_trained and not test_only))
        for note in data.notes:
            display.note(note)
        if expected is not None and size is None and self.image_size is None:
            display.note(_size_assumed(data))
        return data


def _size_assumed(data: Data) -> str | None:
    """Return a note about images on disk whose size in a trained network nothing says; None for those in memory."""
    from ...analysis.data_sheet import sizes, sizes_in_words

    measured = sizes(data, _MEASURED)
    if measured is None:
        return None
    return (
        f"nothing says the size of the images that the network was trained on: {data.info.image_size} px are assumed "
        f"(on disk these have {sizes_in_words(measured)}); --image_size changes it"
    )


DEFAULT_DATA = DataOptions()
IMAGE_OPTIONS = ("resize", "background", "max_value")  # options that decide the pixels of a network's images


def reading_of(about: Mapping[str, object]) -> dict[str, object]:
    """Return the options not at their defaults by which a network's images were read, as its file says."""
    images = about.get("images")
    return {name: images[name] for name in IMAGE_OPTIONS if name in images} if isinstance(images, dict) else {}


def note_on_share(network: str, about: Mapping[str, object], data: Data, options: DataOptions) -> str | None:
    """Return a note where another share of each image is kept than that of a network's own held-out images."""
    was, now = about.get("share"), data.test.share
    if options.resize != "crop" or not isinstance(was, int | float) or now is None or was == now:
        return None
    then, here = (f"{100 * share:.3g} %" for share in (was, now))
    return f"{network} was trained for {then} of the shorter side of an image, and is given {here}"


def note_on_reading(network: str, about: Mapping[str, object], options: DataOptions) -> str | None:
    """Return a note where images are read in another way than those that a network was trained on."""
    if "image_size" not in about:  # the file of somebody else
        return None
    then = {name: str(getattr(DEFAULT_DATA, name)) for name in IMAGE_OPTIONS} | reading_of(about)
    others = [name for name in IMAGE_OPTIONS if str(getattr(options, name)) != str(then[name])]
    if not others:
        return None
    was, now = ([f"{name} {values[name]}" for name in others] for values in (then, vars(options)))
    return (
        f"{network} was trained on images that were read with {', '.join(was)}, and is given those read with "
        f"{', '.join(now)}, as the options say"
    )
