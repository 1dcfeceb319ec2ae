"""Files of weights that run code, take all memory or all time, or say of themselves what is not so."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from tests.hostile import pickles
from tests.hostile.archives import (
    Scripted,
    entry,
    header,
    huge,
    legacy,
    oldest,
    overlapping,
    script,
    tensor,
    zipped,
)
from tests.hostile.trial import Case, Ground, Maker
from tests.hostile.watch import MARK

OF_PICKLES: tuple[str, ...] = (
    *("os.system", "exec", "subprocess", "an attribute", "runpy", "a class", "a class, otherwise"),
    *("a persistent id", "an extension", "lists in lists", "tuples in tuples", "dictionaries in dictionaries"),
    *("a list that holds itself", "a dictionary that holds itself", "marks", "a key that takes for ever"),
    *("a set that takes for ever", "data that take for ever", "a text of exabytes", "a frame of exabytes"),
    *("a number of 2 GB", "a memo of 4 billion", "a type that is changed", "an endless type"),
)


EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
FILES: dict[str, Callable[[], bytes]] = {
    **{f"{name}, zipped.pth": lambda name=name: zipped(**{"data.pkl": pickles.PICKLES[name]()}) for name in OF_PICKLES},  # type: ignore[misc]
    **{f"{name}.pth": lambda name=name: pickles.PICKLES[name]() for name in OF_PICKLES},  # type: ignore[misc]
    **{f"{name}, old.pth": lambda name=name: legacy(pickles.PICKLES[name]()) for name in OF_PICKLES[:3]},  # type: ignore[misc]
    "a whole network.pth": lambda: _saved(Scripted()),
    "a bomb of weights.pth": lambda: huge("data/0"),
    "a bomb of a pickle.pth": lambda: huge("data.pkl"),
    "a bomb of a version.pth": lambda: huge("version"),
    "one above the other.pth": overlapping,
    "many members.pth": lambda: zipped(**{f"data/{number}": b"" for number in range(200_000)}),
    "a program.pt": script,
    "a tar that leaves.pth": lambda: oldest(f"../../{MARK}"),
    "a tar that is absolute.pth": lambda: oldest(f"/tmp/{MARK}"),
    "a negative size.pth": lambda: zipped(**{"data.pkl": tensor(size=(-4,))}),
    "a huge tensor.pth": lambda: zipped(**{"data.pkl": tensor(size=(2**40,))}),
    "a negative stride.pth": lambda: zipped(**{"data.pkl": tensor(stride=(-1,))}),
    "a huge storage.pth": lambda: zipped(**{"data.pkl": tensor(numel=2**60)}),
    "no storage.pth": lambda: zipped().replace(b"data/0", b"data/7"),
    "zeros.pth": lambda: bytes(1 << 20),
    "random.pth": lambda: random.Random(0).randbytes(1 << 16),
    "a header of exabytes.safetensors": lambda: header("{}", 2**63),
    "a header beyond the end.safetensors": lambda: header("{}", 10**6),
    "a header of blanks.safetensors": lambda: header("{" + " " * 99_000_000 + "}"),
    "a header of brackets.safetensors": lambda: header('{"a":' + "[" * 1_000_000),
    "no text.safetensors": lambda: header(b"{\xff\xfe}"),
    "negative offsets.safetensors": lambda: header(entry(data_offsets=[-64, 0])),
    "offsets backwards.safetensors": lambda: header(entry(data_offsets=[64, 0])),
    "offsets beyond.safetensors": lambda: header(entry(data_offsets=[0, 2**62])),
    "another size.safetensors": lambda: header(entry(shape=[2**62, 4])),
    "a negative size.safetensors": lambda: header(entry(shape=[-16])),
    "another type.safetensors": lambda: header(entry(dtype="O")),
    "overlapping.safetensors": lambda: header(entry()[:-1] + ", " + entry().replace("weight", "bias")[1:]),
    "a name twice.safetensors": lambda: header(entry()[:-1] + ", " + entry()[1:]),
    "a terminal's commands.safetensors": lambda: header(entry().replace("weight", "\\u001b[31m\\u0007")),
    "a name of a megabyte.safetensors": lambda: header(entry().replace("weight", "w" * 1_000_000)),
    "many names.safetensors": lambda: header(json.dumps(dict.fromkeys(map(str, range(100_000)), EMPTY)), data=b""),
    "a program.safetensors": lambda: script(),
    "code.safetensors": lambda: pickle.dumps(pickles.Calls(os.system, pickles.SHELL)),
}
OF_STATES: tuple[str, ...] = (
    *("os.system, zipped.pth", "exec, zipped.pth", "a class, zipped.pth", "os.system.pth", "a program.pt"),
    *("a key that takes for ever, zipped.pth", "a bomb of weights.pth", "a bomb of a pickle.pth"),
    *("one above the other.pth", "a huge storage.pth", "a tar that leaves.pth", "zeros.pth", "random.pth"),
)


def _saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _read_by(ground: Ground, lot: random.Random, file: Path) -> Case:
    network = f"{ground.nets}:small"
    words = lot.choice(
        [
            ground.evaluate(network, "--weights", str(file), "--data", str(ground.pictures)),
            ground.distill("--teacher", network, "--teacher_weights", str(file)),
            ground.evaluate(file, "--data", str(ground.pictures))
            if file.suffix == ".safetensors"
            else ground.train(ground.pictures, "--weights", str(file)),
        ]
    )
    return Case(words)


def _written(name: str, content: Callable[[], bytes]) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        file = ground.place / name
        file.write_bytes(content())
        return _read_by(ground, lot, file)

    return make


def _placed(name: str, put: Callable[[Path], object]) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        put(ground.place / name)
        return _read_by(ground, lot, ground.place / name)

    return make


def _says(about: Callable[[dict[str, object]], object]) -> Maker:
    """Return what makes a file of a run's, complete, whose header says something else."""

    def make(ground: Ground, lot: random.Random) -> Case:
        file = ground.place / "given.safetensors"
        forge(ground.teacher / "model.safetensors", file, about)
        (ground.place / "evil.py").write_text(evil())
        return Case(lot.choice([ground.evaluate(file), ground.distill("--teacher", str(file))]))

    return make


def evil() -> str:
    """Return a module that leaves a mark when it is run."""
    return f"{pickles.PYTHON}\nfrom tests.helpers.networks import QuickNet as Net\nload = Net\n"


def forge(source: Path, target: Path, about: Callable[[dict[str, object]], object]) -> None:
    """Write a file of weights with another header: `about` changes it, or returns its text."""
    from stillhouse.checkpoints import about_weights

    known = about_weights(source)
    text = about(known)
    target.write_bytes(save(load_file(source), {"stillhouse": text if isinstance(text, str) else json.dumps(known)}))


HEADERS: dict[str, Callable[[dict[str, object]], object]] = {
    "code beside it": lambda about: about.update(network="evil.py:Net"),
    "code of Python's": lambda about: about.update(network="os:system"),
    "code of a library's": lambda about: about.update(network="torch.hub:load"),
    "a network of the hub": lambda about: about.update(network="timm:hf-hub:evil/evil"),
    "data that are code": lambda about: about.update(network="resnet8", data="evil.py:load"),
    "data that are elsewhere": lambda about: about.update(network="resnet8", data="/dev/zero"),
    "no network": lambda about: about.update(network=["evil"]),
    "an endless name": lambda about: about.update(network="resnet" + "8" * 1_000_000),
    "huge images": lambda about: about.update(network="resnet8", image_size=10**9),
    "images of less than nothing": lambda about: about.update(network="resnet8", image_size=-5),
    "statistics that are none": lambda about: about.update(network="resnet8", mean="a", std=[0, 0, 0]),
    "brackets": lambda about: "[" * 1_000_000,
    "a long number": lambda about: '{"network": ' + "9" * 100_000 + "}",
    "NaN": lambda about: '{"network": NaN}',
}


def itself() -> dict[str, object]:
    state: dict[str, object] = OrderedDict()
    state["model"] = state
    state["state_dict"] = [state]
    return state


def _deep() -> dict[str, object]:
    state: dict[str, object] = {"weight": torch.ones(2)}
    for _ in range(100):
        state = {"model": state}
    return state


KINDS: dict[str, Maker] = {
    **{f"weights: {name}": _written(name, content) for name, content in FILES.items()},
    **{f"weights: header with {name}": _says(about) for name, about in HEADERS.items()},
    "weights: a pipe": _placed("a.pth", os.mkfifo),
    "weights: a device": _placed("a.safetensors", lambda path: path.symlink_to("/dev/zero")),
    "weights: the kernel's log": _placed("a.pth", lambda path: path.symlink_to("/proc/kmsg")),
    "weights: a terabyte": _placed("a.pth", pickles.sparse),
    "weights: a terabyte, safe": _placed("a.safetensors", pickles.sparse),
    "weights: a link to itself": _placed("a.pth", lambda path: path.symlink_to(path.name)),
    "weights: a folder": _placed("a.pth", os.mkdir),
    "weights: a very long name": lambda ground, lot: _read_by(ground, lot, ground.place / f"{'a' * 5000}.pth"),
    "weights: a dictionary of itself": _placed("a.pth", lambda path: torch.save(itself(), path)),
    "weights: deep dictionaries": _placed("a.pth", lambda path: torch.save(_deep(), path)),
}
