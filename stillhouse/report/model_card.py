"""A run's model card: README.md beside its weights, with the metadata that the Hugging Face Hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..analysis.metrics import error_of_confidence
from ..analysis.tables import magnitude
from ..checkpoints import write_atomically
from ..data.hub import PREFIX, parse
from ..data.pixels.square import in_words
from ..training.predictions import Predictions
from .intervals import of_share
from .markdown import escaped, table

FILE = "README.md"
_NOT_YET = "Not compared with another network yet."  # until `compare` puts a table in its place
_MOST, _WORST = 20, 5  # classes that are all shown, and those that are shown of more
_SETTINGS = (  # of config.yaml; no names of files, which are nobody else's business
    *("methods", "epochs", "batch_size", "optimizer", "lr", "momentum", "nesterov", "weight_decay", "schedule"),
    *("milestones", "lr_decay", "lr_warmup", "clip_norm", "precision", "teacher_precision", "seed", "train_fraction"),
    *("validation", "resize", "background", "flip", "crop", "rotation", "recipe"),
)
_TO_FILL_IN = """\
* **Licence**: add a line such as `license: apache-2.0` to the metadata above. It depends on the licences of the
  training images, of the teacher's weights, and on what you decide for this network.
* **Intended use**: what it is for, and what it must not be used for.
* **Limits**: images that the test images do not stand for, such as other cameras, places or years.
* **Contact**: whom to write to."""


def model_card(
    result: Mapping[str, Any],
    config: Mapping[str, Any],
    predictions: Predictions | None,
    weights: str = "student.safetensors",
) -> str:
    """Return a card in Markdown for a finished run.

    Args:
        result: The content of its result.json.
        config: The content of its config.yaml; empty for runs of user programs.
        predictions: Its first guesses for the test images.
        weights: Name of the file with its weights.
    """
    name, teacher = _network(result), result.get("teacher")
    source = f"distilled from {_last(teacher['network'])}" if isinstance(teacher, dict) else "trained from labels"
    parts = [
        _metadata(name, result, config, isinstance(teacher, dict)),
        f"# {escaped(name)}, {escaped(source)}",
        f"A classifier of images{_for_classes(result)}, trained by stillhouse {result.get('stillhouse', '')}.",
        _use(result, weights),
        "## How good it is",
        table(("measure", "value"), _figures(result, predictions)),
        *_by_class(result, predictions),
        "## Compared with",
        _NOT_YET,
        "## How it was trained",
        table(("setting", "value"), _protocol(result, config)),
        "## To fill in",
        _TO_FILL_IN,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_card(folder: Path, card: str) -> None:
    """Write a run's card, unless there is one, which may hold what its user has filled in."""
    if not (folder / FILE).exists():
        write_atomically(folder / FILE, card.encode())


def compare(folder: Path, comparison: str) -> None:
    """Put a comparison, in Markdown, into a run's card that has none yet; everything else in it stays as it is."""
    path = folder / FILE
    if not path.is_file():
        return
    before, found, after = path.read_bytes().partition(_NOT_YET.encode())
    if found:
        write_atomically(path, before + comparison.encode() + after)


def _metadata(name: str, result: Mapping[str, Any], config: Mapping[str, Any], is_taught: bool) -> str:
    """Return what the Hub reads: https://huggingface.co/docs/hub/model-cards."""
    data = str(result.get("data", "unknown"))
    metrics = [{"type": "accuracy", "name": "top-1", "value": round(float(result["top1"]) / 100, 4)}]
    hub = parse(str(config["data"])).repository if str(config.get("data")).startswith(PREFIX) else None
    measured = {
        "task": {"type": "image-classification"},
        "dataset": {"name": data, "type": hub or data, "split": "test"},
        "metrics": metrics,
    }
    about = {
        "pipeline_tag": "image-classification",
        "library_name": "stillhouse",
        "tags": ["image-classification", *(["knowledge-distillation"] if is_taught else [])],
        "metrics": ["accuracy"],
        **({"datasets": [hub]} if hub else {}),
        "model-index": [{"name": name, "results": [measured]}],
    }
    return f"---\n{yaml.safe_dump(about, sort_keys=False, allow_unicode=True)}---"


def _use(result: Mapping[str, Any], weights: str) -> str:
    lines = [
        "## How to use it",
        f"    hf download OWNER/NAME --local-dir network\n    stillhouse predict network/{weights} photos/\n"
        f"    stillhouse export network/{weights} --to onnx -o shipped --data PHOTOS_BY_CLASS",
        f"The header of `{weights}` names the network, its classes, and how images are made for it{_images(result)}. "
        f"To share it: `hf upload OWNER/NAME . . --include {FILE} {weights}`.",
    ]
    return "\n\n".join(lines)


def _images(result: Mapping[str, Any]) -> str:
    size, mean, std, share = (result.get(key) for key in ("image_size", "mean", "std", "share"))
    if not (size and mean and std):
        return ""
    read = {"resize": "crop", **(result.get("images") or {})}
    square = f" {in_words(read['resize'], share)}," if share else ""
    shown = [", ".join(f"{value:.4g}" for value in values) for values in (mean, std)]
    return f":{square} {size}x{size} pixels in RGB, from 0 to 1, minus the mean ({shown[0]}), divided by ({shown[1]})"


def _figures(result: Mapping[str, Any], predictions: Predictions | None) -> list[tuple[str, str]]:
    """Return rows of measures; a run of a user program may lack some."""
    by = {"test": "chosen by the test images, so it flatters", "validation": "on the validation images"}
    measured_on = str(result.get("best_measured_on", "held-out"))
    rows = [("top-1 after the last epoch", _top1(result, predictions))]
    rows += [("top-5", f"{result['top5']:.2f} %"), ("cross-entropy", f"{result['test_loss']:.4f}")]
    if predictions is not None and len(predictions.labels):
        error = error_of_confidence(predictions.confidence, predictions.correct)
        rows.append(("expected calibration error, 15 bins", f"{error:.2f} %"))
    if "teacher_top1" in result:
        rows.append((f"top-1 of its teacher, {measured_on} images", f"{result['teacher_top1']:.2f} %"))
    best = f"{result['best_top1']:.2f} % ({by.get(measured_on, 'on held-out images')})"
    rows.append((f"best epoch, {result.get('best_epoch', '?')} of {result.get('epochs', '?')}", best))
    if "parameters" in result:
        rows.append(("parameters", f"{result['parameters']:,}"))
    if "macs" in result:
        rows.append(("multiply-accumulates for an image", magnitude(float(result["macs"]))))
    return rows


def _top1(result: Mapping[str, Any], predictions: Predictions | None) -> str:
    top1 = f"{result['top1']:.2f} %"
    if predictions is None or not len(predictions.labels):
        return top1
    right, count = int(predictions.correct.sum()), len(predictions.labels)
    low, high = of_share(right, count)
    return f"{top1}, 95 % interval {low:.2f} to {high:.2f} (Wilson; {right:,} of {count:,} test images, one seed)"


def _by_class(result: Mapping[str, Any], predictions: Predictions | None) -> list[str]:
    """Return a table of the classes, the worst first, or of the worst of many; nothing if they have no names."""
    classes, trained = result.get("classes") or (), result.get("train_counts")
    if predictions is None or not len(predictions.labels) or predictions.labels.max() >= len(classes):
        return []
    labels, many = predictions.labels.long(), len(classes)
    counts = labels.bincount(minlength=many).tolist()
    right = labels[predictions.correct].bincount(minlength=many).tolist()
    tested = sorted((at for at in range(many) if counts[at]), key=lambda at: (right[at] / counts[at], at))
    shown = [*tested, *(at for at in range(many) if not counts[at])] if many <= _MOST else tested[:_WORST]
    headings = ["class", "top-1", "95 % interval", "test images", *(["training images"] if trained else [])]
    rows = []
    for at in shown:
        cells = [str(classes[at]), "", "", f"{counts[at]:,}", *([f"{trained[at]:,}"] if trained else [])]
        if counts[at]:
            low, high = of_share(right[at], counts[at])
            cells[1:3] = f"{100 * right[at] / counts[at]:.1f} %", f"{low:.1f} to {high:.1f}"
        rows.append(cells)
    which = "The classes, the worst first" if many <= _MOST else f"The {_WORST} worst of {many:,} classes"
    return [f"{which}:", table(headings, rows)]


def _images_of(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return rows about the images of training and validation; runs of earlier versions lack them."""
    counts, rows = result.get("train_counts"), []
    if counts:
        least, most = min(counts), max(counts)
        each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        rows.append(("training images", f"{sum(counts):,}, {each} of each class"))
    if "validation_images" in result:
        rows.append(("validation images", f"{result['validation_images']:,}"))
    if result.get("skipped_images"):
        rows.append(("images left out, because they cannot be read", f"{result['skipped_images']:,}"))
    if "views" in result:
        rows.append(("views in training", str(result["views"])))
    return rows


def _protocol(result: Mapping[str, Any], config: Mapping[str, Any]) -> list[tuple[str, str]]:
    teacher = result.get("teacher")
    fingerprint = f", fingerprint {result['data_hash']}" if "data_hash" in result else ""
    rows = [("data", f"{result.get('data', 'not recorded')}{fingerprint}"), *_images_of(result)]
    rows += [(name, _shown(config[name])) for name in _SETTINGS if _matters(name, config)]
    if isinstance(teacher, dict):
        rows.append(("teacher", f"{_last(teacher['network'])}, weights {teacher['weights_hash']}"))
    if "weights_hash" in result:
        rows.append(("weights", str(result["weights_hash"])))
    if "device" in result and "seconds" in result:
        rows.append(("trained on", f"{result['device']}, {float(result['seconds']) / 3600:.2f} h"))
    versions = [f"{name} {result[name]}" for name in ("stillhouse", "commit", "torch", "cuda") if result.get(name)]
    return [*rows, ("versions", ", ".join(versions))]


def _matters(name: str, config: Mapping[str, Any]) -> bool:
    """Tell whether a setting had an effect, other than by being off."""
    if name in ("milestones", "lr_decay") and config.get("schedule") != "steps":
        return False
    return name in config and (name == "seed" or config[name] not in (None, "", 0, False))


def _shown(value: object) -> str:
    return ", ".join(map(_last, value)) if isinstance(value, list) else _last(value)


def _network(result: Mapping[str, Any]) -> str:
    return _last(result.get("network", "network"))


def _last(name: object) -> str:
    """Return a name without the folders before a file of code."""
    return str(name).rpartition("/")[2] if ".py" in str(name) else str(name)


def _for_classes(result: Mapping[str, Any]) -> str:
    count = len(result.get("classes") or ())
    return f" into {count:,} classes" if count else ""
