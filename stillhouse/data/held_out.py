"""Draws what is held out of training: test images, validation images, and all but a fraction of the others.

It also says where a network was trained on what it is measured on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..spelling import counted
from .dataset import held_out_in_words, stratified
from .folders.inventory import some
from .folders.trained_on import OWN, note, share
from .image_files import Files, take
from .options import LoadOptions
from .splits import TEST_FRACTION, draws, held_out_by_name

_PURPOSE = "part of the training images"  # of these draws: those that choose validation images are others


def settle(files: Files, options: LoadOptions) -> Files:
    """Decide what the images of a data set without splits are for, now that their contents are known.

    About 20 % of each class are held out as the test set by their names, see `held_out_by_name`. An image whose copy is
    a training image is one as well, so adding copies moves images from the test set to the training set at most. To
    measure a network all images are the test set, unless it was trained on images of this data set: then those held out
    are. If it was trained on them too, all are measured after all, and it is said that these are training images.

    Args:
        files: Those without splits are all training images.

    Raises:
        ValueError: If every class has one image only.
    """
    if not files.is_split:
        files = _settled(files, options)
    if not options.trained_on or _WHOLE in files.notes:
        return files
    first = len(files.train)
    here = {"validation": files.contents[first : first + len(files.validation)]}
    here["test"] = files.contents[first + len(files.validation) :]
    found = {f"{name} images": share(options.trained_on, contents) for name, contents in here.items()}
    notes = [note(part, which) for which, part in found.items() if part]
    return replace(files, notes=(*files.notes, *notes))


def _settled(files: Files, options: LoadOptions) -> Files:
    everything = torch.arange(len(files.train))
    seen = share(options.trained_on or (), files.contents)
    if options.test_only and seen < OWN:
        unknown = (
            (_UNKNOWN,) if options.trained_on is None else (_SAVED_AGAIN,) if options.trained_on and not seen else ()
        )
        source = f"{files.source}; all images are measured"
        return _parted(replace(files, source=source), everything[:0], everything, unknown)
    kept, held_out = held_out_by_name(files.train_keys, files.train_labels)
    if options.test_only and _is_not_held_out(files, held_out, options):
        source = f"{files.source}; all images are measured, those that the network was trained on among them"
        return _parted(replace(files, source=source), everything[:0], everything, (_WHOLE,))
    if len(held_out) == 0:
        raise ValueError(
            f"{files.source} holds one image of each class: at least two are needed, one of them to test on"
        )
    by_what = "names" if isinstance(files.train[0], Path) else "contents"
    source = f"{files.source}; about {TEST_FRACTION:.0%} of each class held out as the test set by their {by_what}"
    trained = {files.contents[i].digest for i in kept.tolist()}
    copies = torch.tensor([files.contents[i].digest in trained for i in held_out.tolist()])
    notes: tuple[str, ...] = ()
    if options.test_only:
        notes = (f"the network was trained on images of {files.root}: only those held out are measured",)
    if copies.any() and not copies.all():
        kept, held_out = torch.cat([kept, held_out[copies]]).sort().values, held_out[~copies]
        what = counted(int(copies.sum()), "image")
        notes += (f"copies of training images are not held out but trained on: {what}",)
    return _parted(replace(files, source=source), kept, held_out, (*notes, *_not_measured(files, held_out)))


def _is_not_held_out(files: Files, held_out: Tensor, options: LoadOptions) -> bool:
    """Return True if a network was trained on what a folder without splits holds out, (M,), as on the rest.

    So it was where the folder was the training part of another one.
    """
    contents = [files.contents[i] for i in held_out.tolist()]
    expected = len({content.digest for content in contents}) / len({content.digest for content in files.contents})
    return share(options.trained_on or (), contents) >= OWN * expected


def _not_measured(files: Files, held_out: Tensor) -> list[str]:
    """Return a note about classes of which no image is held out, because they have one, or copies of one."""
    counts = files.train_labels[held_out].bincount(minlength=len(files.classes)).tolist()
    absent = [name for name, count in zip(files.classes, counts, strict=True) if count == 0]
    which = f"{len(absent)} of the {len(files.classes)} classes ({some(absent)})"
    return [f"test has no images of {which}: they cannot be measured"] if absent else []


_UNKNOWN = (
    "all images are measured, and it is not known which images the network was trained on: if some of these are among "
    "them, its accuracy says little"
)

_WHOLE = (
    "the network was trained on images of this folder, also on those that would be held out: all images are measured, "
    "and the accuracy is mostly that on training images, not on new ones; give --data images that it has not seen"
)

_SAVED_AGAIN = (
    "all images are measured: none is byte for byte one that the network was trained on; copies that were saved again "
    "are not recognised"
)


def _parted(files: Files, train: Tensor, test: Tensor, notes: tuple[str, ...]) -> Files:
    """Return the files with these positions as training images, (N,), and test images, (M,)."""
    order = [*train.tolist(), *test.tolist()]
    return replace(
        files,
        train=take(files.train, train),
        train_labels=files.train_labels[train],
        train_keys=files.train_keys[train],
        test=take(files.train, test),
        test_labels=files.train_labels[test],
        contents=tuple(files.contents[i] for i in order),
        notes=(*files.notes, *notes),
        is_split=True,
    )


@dataclass(frozen=True)
class Parts:
    """Positions in a training set, ascending, and in words what they are."""

    train: Tensor  # (K,) int64
    validation: Tensor | None  # (V,) int64; None: none are taken out
    words: str  # clauses of `Data.source`; empty for a whole training set


def divide(
    labels: Tensor, options: LoadOptions, names: Tensor | None, contents: Callable[[], Tensor] | None = None
) -> Parts:
    """Take the validation images out of a training set, and of the rest the fraction that is trained on.

    Args:
        labels: (N,) int64.
        options: `validation`, `train_fraction` and `split_seed` are read here.
        names: (N,) int64, see `splits.name_keys`; None: the images have none, and those for validation are drawn by
            their places.
        contents: Returns (N,) int64 by which images without names are known.
    """
    train, validation, words = torch.arange(len(labels)), None, ""
    if options.validation:
        chosen = (labels, options.validation, options.split_seed)
        train, validation = stratified(*chosen) if names is None else held_out_by_name(names, *chosen)
        words += held_out_in_words(options)
    if options.train_fraction < 1:
        keys = names if contents is None or names is not None else contents()
        assert keys is not None
        kept = part_of_each_class(keys[train], labels[train], options.train_fraction, options.split_seed)
        left_out = len(train) - len(kept)
        train = train[kept]
        words += f"; trained on {100 * options.train_fraction:g} % of each class, {left_out:,} images left out"
    return Parts(train, validation, words)


def part_of_each_class(keys: Tensor, labels: Tensor, fraction: float, seed: int = 0) -> Tensor:
    """Return the positions of this fraction of each class: (N,), (N,) -> (K,), ascending.

    Of a class of n images it takes those with the smallest draws, `fraction` x n of them rounded to a whole number, at
    least one. So a smaller part lies within a larger one, and neither the order of the images nor the seed of a run
    changes which they are. Images with equal keys are taken in their order.

    Args:
        keys: (N,) int64, that say which images they are.
        labels: (N,) int64.
    """
    drawn, taken = draws(keys, seed, _PURPOSE), []
    for label in labels.bincount().nonzero().flatten():
        members = (labels == label).nonzero().flatten()
        count = max(1, round(fraction * len(members)))
        taken.append(members[drawn[members].argsort(stable=True)[:count]])
    return torch.cat(taken).sort().values if taken else labels


def pixel_keys(images: Tensor) -> Tensor:
    """Hash the pixels of each image: (N, S, S, 3) uint8 -> (N,) int64."""
    digests = (hashlib.blake2b(image.data, digest_size=8).digest() for image in images.contiguous().numpy())
    return torch.tensor([int.from_bytes(digest, "little", signed=True) for digest in digests], dtype=torch.int64)
