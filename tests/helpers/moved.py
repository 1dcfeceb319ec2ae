"""The same images in another folder, form, size or order of classes."""

import csv
import io
import json
import random
import tarfile
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.helpers.pictures import png

CLASSES = ("10", "2", "caf\u00e9", "bee", "1")


@dataclass(frozen=True)
class Sample:
    split: str
    label: str
    number: int
    image: Image.Image

    def named(self, suffix: str = ".png") -> str:
        return f"{self.number:03}{suffix}"


Samples = list[Sample]


def flat(noise: np.random.Generator, label: int) -> Image.Image:
    """Return an image of one colour, whose pixels are the same at every size."""
    colour = np.clip(30 + 40 * label + noise.normal(0, 25, 3), 0, 255)
    return Image.new("RGB", (24, 24), tuple(int(c) for c in colour))


def texture(noise: np.random.Generator, label: int, width: int = 24, height: int = 24) -> Image.Image:
    pixels = np.clip(noise.normal(60 + 18 * label, 40, (height, width, 3)), 0, 255)
    pixels[:, label * width // 5 : (label + 2) * width // 5] *= 0.5
    return Image.fromarray(pixels.astype(np.uint8))


def wide(noise: np.random.Generator, label: int) -> Image.Image:
    return texture(noise, label, 40, 24)


def see_through(noise: np.random.Generator, label: int) -> Image.Image:
    image = texture(noise, label)
    image.putalpha(Image.fromarray(noise.integers(0, 256, (24, 24), dtype=np.uint8)))
    return image


def deep(noise: np.random.Generator, label: int) -> Image.Image:
    pixels = np.clip(noise.normal(700 + 500 * label, 500, (24, 24)), 0, 4095)
    return Image.fromarray(pixels.astype(np.uint16))


Draw = Callable[[np.random.Generator, int], Image.Image]


def folders(root: Path, samples: Samples, train: str = "train", test: str = "val", suffix: str = ".png") -> Path:
    for one in samples:
        split = {"train": train, "test": test, "": ""}[one.split]
        path = root / split / one.label / one.named(suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        one.image.save(path, lossless=True)
    return root


def copied(root: Path, samples: Samples, lot: random.Random) -> Path:
    return folders(root / "copy", samples)


def wrapped(root: Path, samples: Samples, lot: random.Random) -> Path:
    folders(root / "archive" / "data", samples, "Training", lot.choice(["TESTING", "holdout"]))
    return root


def holdout_alone(root: Path, samples: Samples, lot: random.Random) -> Path:
    return folders(root, [one for one in samples if one.split != "train"], test="test")


def other_suffix(root: Path, samples: Samples, lot: random.Random) -> Path:
    kinds = [".tif", ".png"] if samples[0].image.mode.startswith("I") else [".webp", ".tif"]
    return folders(root, samples, suffix=lot.choice(kinds))


def decomposed(root: Path, samples: Samples, lot: random.Random) -> Path:
    return folders(root, [replace(one, label=unicodedata.normalize("NFD", one.label)) for one in samples])


def another_name(root: Path, samples: Samples, lot: random.Random) -> Path:
    return folders(root, [replace(one, label=one.label.replace("bee", "wasp")) for one in samples])


def another_class(root: Path, samples: Samples, lot: random.Random) -> Path:
    extra = [Sample(one.split, "ant", one.number, one.image) for one in samples if one.label == "bee"]
    return folders(root, samples + extra)


def enlarged(root: Path, samples: Samples, lot: random.Random) -> Path:
    """Of images that are the same at every size."""
    side = lot.choice([16, 37, 72, 240])
    return folders(root, [Sample(s.split, s.label, s.number, s.image.resize((side, side))) for s in samples])


def parquet(root: Path, samples: Samples, lot: random.Random, strings: bool = False) -> Path:
    names = sorted(CLASSES)
    lot.shuffle(names)
    shuffled = lot.sample(samples, len(samples))
    for split in sorted({one.split for one in samples}):
        rows = [one for one in shuffled if one.split == split]
        labels = [one.label if strings else names.index(one.label) for one in rows]
        table = pa.table({"image": [{"bytes": png(r.image), "path": r.named()} for r in rows], "label": labels})
        features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
        note = {} if strings else {"huggingface": json.dumps({"info": {"features": features}})}
        pq.write_table(table.replace_schema_metadata(note), root / f"{split or 'train'}-00000-of-00001.parquet")
    return root


def strings(root: Path, samples: Samples, lot: random.Random) -> Path:
    return parquet(root, samples, lot, strings=True)


def listed(root: Path, samples: Samples, lot: random.Random) -> Path:
    (root / "images").mkdir()
    rows = []
    for number, one in enumerate(lot.sample(samples, len(samples))):
        one.image.save(root / "images" / f"{number}.png")
        rows.append((f"images/{number}.png", one.label, one.split))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    return root


def tars(root: Path, samples: Samples, lot: random.Random) -> Path:
    for split in sorted({one.split for one in samples}):
        with tarfile.open(root / f"{split or 'train'}-000000.tar", "w") as tar:
            for one in (one for one in samples if one.split == split):
                stem = f"{one.label}{one.number:03}".encode().hex()
                for suffix, content in (("png", png(one.image)), ("cls", one.label.encode())):
                    entry = tarfile.TarInfo(f"{stem}.{suffix}")
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
    return root


def own_function(root: Path, samples: Samples, lot: random.Random) -> str:
    """Of a function whose classes are in an order of its own."""
    names = list(CLASSES)
    lot.shuffle(names)
    arrays = {split: [one for one in samples if one.split == split] for split in ("train", "test")}
    for split, rows in arrays.items():
        np.save(root / f"{split}.npy", np.stack([np.asarray(one.image.convert("RGB")) for one in rows]))
    labels = {split: [names.index(one.label) for one in rows] for split, rows in arrays.items()}
    (root / "mine.py").write_text(
        "from pathlib import Path\nimport numpy as np\nimport torch\nfrom stillhouse.data import Arrays\n"
        "def mine():\n    x, y = (torch.from_numpy(np.load(Path(__file__).with_name(f'{s}.npy'))) "
        "for s in ('train', 'test'))\n"
        f"    return Arrays('mine', 'mine', x, torch.tensor({labels['train']}), y, torch.tensor({labels['test']}), "
        f"classes={tuple(names)})\n"
    )
    return f"{root / 'mine.py'}:mine"


Move = Callable[[Path, Samples, random.Random], Path | str]
