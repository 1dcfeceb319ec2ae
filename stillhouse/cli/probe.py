"""`stillhouse probe`: the accuracy of a linear classifier on a trained network's features of another data set."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .. import distributed
from ..checkpoints import fingerprint, write_atomically
from ..training.progress import Display
from ..training.teachers.located import locate
from ..training.teachers.places import without_weights
from ..training.teachers.teacher import prepare
from .evaluate import digests
from .groups.data import SplitOptions
from .options.probe import Probe, ProbeOptions

if TYPE_CHECKING:
    from ..analysis.linear_probe import Features

FOLDER = "probes"  # in the folder of a run


def probed(command: Probe, display: Display) -> None:
    asked, device = command.network, command.device.torch_device()
    found = locate(asked.source(), "--weights")
    if not found.source.weights:
        raise ValueError(without_weights(found.given))
    part = SplitOptions(train_fraction=asked.train_fraction)
    data = command.data.load(display, part, is_trained=False, trained_on=digests(found), expected=found.input)
    network = prepare(found, data, device, option="--weights", say=display.note, any_classes=True)
    from ..analysis.linear_probe import features  # it imports scikit-learn, which takes a second

    train, test = (features(network.net, split, device) for split in (data.train, data.test))
    count, width = train.values.shape
    result: dict[str, object] = {
        "data": data.name,
        "fingerprint": data.fingerprint,
        "train_images": count,
        "train_fraction": data.train_fraction,
        "test_images": len(test.labels),
        "classes": len(data.classes),
        "features": width,
        "image_size": data.info.image_size,
        "mean": network.input.mean or data.mean,
        "std": network.input.std or data.std,
        "network": network.name,
        "weights": fingerprint(network.net.model),
        "torch": torch.__version__,
    }
    if asked.protocol == "crd":
        result |= _by_sgd(asked, train, test, result, display)
    else:
        chosen_by = None if data.validation is None else features(network.net, data.validation, device)
        result |= _by_lbfgs(train, test, chosen_by, display)
    display.say(
        f"{network.short} on {data.name}: {result['top1']:.2f} % top-1 on {len(test.labels):,} test images, with a "
        f"linear classifier on {width:,} features of {count:,} training images"
    )
    display.say(str(result.pop("words")))
    if found.folder is None:
        display.note(f"the result is not saved: {found.given} is not the folder of a run")
    elif distributed.is_first():
        display.say(f"kept in {_keep(found.folder, result)}")


def _by_lbfgs(train: Features, test: Features, chosen_by: Features | None, display: Display) -> dict[str, object]:
    from ..analysis.linear_probe import probe

    outcome = probe(train, test, chosen_by)
    if not outcome.is_converged:
        display.note("L-BFGS stopped before it converged; the classifier may not be quite optimal")
    if outcome.is_at_an_end:
        display.note(f"the best regularisation, {outcome.strength:g}, is at the end of the range that was tried")
    held_out = "validation images" if chosen_by is not None else "held-out training images"
    return {
        "top1": outcome.top1,
        "strength": outcome.strength,
        "chosen_top1": outcome.chosen_top1,
        "chosen_by": outcome.chosen_by,
        "chosen_on": held_out,
        "is_converged": outcome.is_converged,
        "words": f"regularisation {outcome.strength:g}, at which {outcome.chosen_top1:.2f} % of {outcome.chosen_by:,} "
        f"{held_out} were right",
    }


def _by_sgd(
    asked: ProbeOptions, train: Features, test: Features, shown: Mapping[str, object], display: Display
) -> dict[str, object]:
    from ..analysis.sgd_probe import DROPS, EPOCHS, LR, MEAN, SIZE, STD, sgd_probe, transfer

    if shown["image_size"] != SIZE:
        display.note(f"protocol crd is for images of {SIZE} px, and these are shown at {shown['image_size']}")
    for name, published in (("mean", MEAN), ("std", STD)):
        given = shown[name]
        if isinstance(given, Sequence) and max(abs(a - b) for a, b in zip(given, published, strict=True)) > 0.01:
            display.note(f"protocol crd normalises by CIFAR-100's {name}, and this network knows another one")
    decay, seed = asked.weight_decay or 0.0, asked.seed or 0
    top1 = sgd_probe(train, test, decay, seed)
    if published_too := transfer().sentence(str(shown["data"])):
        display.say(published_too)
    drops = ", ".join(map(str, DROPS))
    words = f"SGD for {EPOCHS} epochs, learning rate {LR} / 10 after {drops}, weight decay {decay:g}, seed {seed}"
    return {"top1": top1, "protocol": "crd", "weight_decay": decay, "seed": seed, "words": words}


_DECIDES = ("fingerprint", "image_size", "mean", "std", "features", "weights")  # identify the probe of an outcome
_BY_SGD = ("protocol", "weight_decay", "seed")  # likewise, where they are


def _keep(run: Path, result: Mapping[str, object]) -> Path:
    """Write an outcome beside others of the run, replacing one of the same network and data."""
    identity = json.dumps([*(result[name] for name in _DECIDES), *(result[name] for name in _BY_SGD if name in result)])
    digest = hashlib.blake2b(identity.encode(), digest_size=4).hexdigest()
    file = run / FOLDER / f"{re.sub(r'[^A-Za-z0-9_.+-]+', '_', str(result['data']))[:160]}-{digest}.json"
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, (json.dumps(result, indent=2) + "\n").encode())
    return file
