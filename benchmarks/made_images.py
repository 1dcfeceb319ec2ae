"""Small JPEGs in class folders, in parquet files and in webdataset's archives: the same images three times."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES, DIFFERENT = 10, 200


def jpegs(count: int, pixels: int) -> list[bytes]:
    """Return JPEGs of about `pixels` on a side, of some hundred pictures with a comment that tells them apart."""
    rng = np.random.default_rng(0)
    bodies = []
    for _ in range(min(count, DIFFERENT)):
        width, height = rng.integers(pixels * 3 // 4, pixels * 5 // 4 + 1, 2).tolist()
        coarse = rng.integers(0, 256, (max(4, pixels // 16), max(4, pixels // 16), 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        image.save(file := io.BytesIO(), "JPEG", quality=90)
        bodies.append(file.getvalue())
    found = []
    for number in range(count):
        body, words = bodies[number % len(bodies)], b"image %d" % number
        found.append(body[:2] + b"\xff\xfe" + (len(words) + 2).to_bytes(2, "big") + words + body[2:])
    return found


def make(root: Path, count: int, pixels: int) -> dict[str, Path]:
    """Write `count` training images and a tenth as many held-out ones in each layout; return the folders of each."""
    for split, images in (("train", jpegs(count, pixels)), ("val", jpegs(max(CLASSES, count // 10), pixels))):
        labels = [number % CLASSES for number in range(len(images))]
        (root / "tar").mkdir(parents=True, exist_ok=True)
        with tarfile.open(root / "tar" / f"{split}-0000.tar", "w") as archive:
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                folder = root / "folder" / split / f"n{label:08d}"
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{number:07d}.JPEG").write_bytes(image)
                for suffix, content in (("jpg", image), ("cls", str(label).encode())):
                    member = tarfile.TarInfo(f"{number:07d}.{suffix}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        names = json.dumps({"info": {"features": {"label": {"names": [f"n{c:08d}" for c in range(CLASSES)]}}}})
        cells = pa.array([{"bytes": image, "path": None} for image in images])
        table = pa.table({"image": cells, "label": pa.array(labels)}).replace_schema_metadata({"huggingface": names})
        (root / "parquet").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, root / "parquet" / f"{split}-00000-of-00001.parquet")
    return {layout: root / layout for layout in ("folder", "parquet", "tar")}
