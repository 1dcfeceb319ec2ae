"""A student written to a file for other programs, which gets its name once it is proven on all held-out images."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..checkpoints import write_atomically
from ..data import Data
from ..training.teachers.class_order import order_of, plain
from .files import PIXELS, PROBABILITIES, SUFFIXES, Exported, first_line, open_exported
from .gate import BATCHES, Verdict, judge
from .int8 import Quantiser, calibration_pixels, pairs, reduced_range, to_leave
from .latency import Latency, latency
from .outcome import FAILED, REPORT, SCRIPT, Order, Outcome, earlier_files, report
from .script import script
from .student import Student
from .write import Shipped, metadata, save_onnx, save_program, save_torchscript, to_onnx

if TYPE_CHECKING:
    import onnx

Say = Callable[[str], object]


def held_out(data: Data, student: Student) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield all held-out images: pixels (N, 3, S, S) uint8, and labels (N,) among the student's classes.

    Raises:
        ValueError: If the data have other classes, or images that the student does not take.
    """
    known = set(map(plain, student.classes))
    unknown = [name for name in data.classes if plain(name) not in known]
    if unknown:
        raise ValueError(f"{student.short} was not trained on these classes (it does not know {unknown[0]})")
    order = torch.tensor(order_of(student.classes, data.classes))
    for batch in data.test.batches("cpu", max(BATCHES)):
        yield student.steps.pixels_of(batch.images, data.mean, data.std), order[batch.labels]


def export(student: Student, data: Data, order: Order, say: Say) -> Outcome:
    """Write a student's file and measure it; one that fails is left under another name.

    The file and its report are in place before the file is timed, so an interruption costs no more than the times.

    Args:
        data: Held-out images, and for int8 training images.
        say: Called with a sentence about what takes long.

    Raises:
        ValueError: If the student cannot be exported, or not be measured.
    """
    order.check()
    is_new = not order.folder.exists()
    order.folder.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=order.folder) as place:
            outcome = _placed(_made(student, data, order, Path(place) / order.file.name, say), order, student)
    finally:
        if is_new and not any(order.folder.iterdir()):
            order.folder.rmdir()
    if outcome.failures or not order.timed:
        return outcome
    say(f"proven, and written to {outcome.file}; now it is timed")
    outcome = replace(outcome, times=_times(student, order, open_exported(outcome.file, trust=True), say))
    _keep(outcome, order)
    return outcome


def _made(student: Student, data: Data, order: Order, path: Path, say: Say) -> Outcome:
    about = metadata(student, order.kind, order.with_preprocessing)
    if SUFFIXES[order.kind] != ".onnx":
        save = save_program if order.kind == "pt2" else save_torchscript
        save(student, order.with_preprocessing, about, path)
        return _measured(student, data, order, path)
    proto = to_onnx(student, order.with_preprocessing)
    if order.kind == "onnx":
        save_onnx(proto, about, path)
        return _measured(student, data, order, path)
    return _quantised(student, data, order, proto, path, say)


def _quantised(student: Student, data: Data, order: Order, proto: onnx.ModelProto, path: Path, say: Say) -> Outcome:
    """Quantise all layers, and leave in float as few as let the file pass, the most sensitive first."""
    pixels = calibration_pixels(data, order.calibration, order.seed)
    pixels = student.steps.pixels_of(pixels, data.mean, data.std)
    images = pixels.permute(0, 2, 3, 1).contiguous() if order.with_preprocessing else student.steps.normalise(pixels)
    about = metadata(student, "int8", order.with_preprocessing)
    quantiser = Quantiser(proto, images.numpy(), reduced_range(), path.parent)
    layers = quantiser.layers
    left: Sequence[str] = ()

    def attempt(without: Sequence[str]) -> tuple[Verdict, int]:
        model = quantiser.quantised([name for name in layers if name not in without])
        save_onnx(model, about, path)
        return _verdict(student, data, open_exported(path)), pairs(model)

    verdict, count = attempt(left)
    if count and verdict.drop > order.max_drop:
        say(f"int8 drops {verdict.drop:.2f} points: each of {len(layers)} layers is now quantised alone")
        damages = quantiser.damages()
        ordered = sorted(layers, key=damages.__getitem__, reverse=True)
        for left in to_leave(ordered):
            verdict, count = attempt(left)
            if verdict.drop <= order.max_drop:
                break
    details = {
        "quantise_nodes": count,
        "quantised_layers": [quantiser.label(name) for name in layers if name not in left],
        "left_in_float": [quantiser.label(name) for name in left],
        "calibration_images": len(images),
        "weight_bits": 7 if quantiser.reduce_range else 8,
    }
    more = [] if count else ["nothing in it is quantised: it has no layer that could be"]
    outcome = _measured(student, data, order, path, verdict)
    named = [quantiser.label(name) for name in left]
    return replace(outcome, failures=[*outcome.failures, *more], left=named, details=details)


def _verdict(student: Student, data: Data, file: Exported) -> Verdict:
    wanted = student.probabilities if file.about["output"] == PROBABILITIES else student.outputs
    return judge(held_out(data, student), wanted, file.outputs)


def _measured(student: Student, data: Data, order: Order, path: Path, verdict: Verdict | None = None) -> Outcome:
    verdict = verdict or _verdict(student, data, open_exported(path, trust=True))
    failures = verdict.failures(order.max_drop, order.kind == "int8")
    weights = sum(value.numel() * value.element_size() for value in student.model.state_dict().values())
    return Outcome(verdict, failures, path, {"PyTorch": weights, order.kind: path.stat().st_size}, {})


def _times(student: Student, order: Order, file: Exported, say: Say) -> dict[str, dict[int, Latency]]:
    shipped = Shipped(student, file.about["input"] == PIXELS).eval()
    images = {size: shipped.example(student.steps.size, size) for size in BATCHES}
    found = {}
    with torch.no_grad():
        found["PyTorch"] = {size: latency(shipped, images[size]) for size in BATCHES}
        if order.compiled:
            say("compiling the student, to time it beside the file")
            try:
                compiled = torch.compile(shipped)
                found["compiled"] = {size: latency(compiled, images[size]) for size in BATCHES}
            except Exception as error:  # a compiler is missing, or fails on this network
                say(f"PyTorch cannot compile the student here ({first_line(error)})")
        found[order.kind] = {size: latency(file.run, images[size]) for size in BATCHES}
    return found


def _placed(outcome: Outcome, order: Order, student: Student) -> Outcome:
    """Give the file its name, or one that nothing opens; write the report, and the script that reads ONNX."""
    earlier = earlier_files(order.folder)
    target = order.file.with_name(order.file.name + (FAILED if outcome.failures else ""))
    os.replace(outcome.file, target)
    outcome = replace(outcome, file=target)
    _keep(outcome, order)
    if not outcome.failures:
        own = {order.file.name, *([SCRIPT] if SUFFIXES[order.kind] == ".onnx" else [])}
        failed = {name + FAILED for name in (REPORT, *(f"student{suffix}" for suffix in SUFFIXES.values()))}
        for name in (earlier - own) | failed:  # so that all files in the folder belong together
            (order.folder / name).unlink(missing_ok=True)
        if SUFFIXES[order.kind] == ".onnx":
            about = metadata(student, order.kind, order.with_preprocessing)
            text = script(student.steps, about["input"], about["output"])
            write_atomically(order.folder / SCRIPT, text.encode())
    return outcome


def _keep(outcome: Outcome, order: Order) -> None:
    """Write the report."""
    name = REPORT + (FAILED if outcome.failures else "")
    write_atomically(order.folder / name, (json.dumps(report(outcome, order), indent=2) + "\n").encode())
