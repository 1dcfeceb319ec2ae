"""Tables and archives of images: parquet, arrow, tar, CSV and JSON lines that are bombs, circles or lies."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.helpers.pictures import picture, png
from tests.hostile.pickles import sparse
from tests.hostile.trial import Case, Ends, Ground, Maker
from tests.hostile.watch import MARK

PICTURES = [png(picture(number, 16)) for number in range(8)]
LABELS = [number % 2 for number in range(8)]


def frame(images: Sequence[bytes | None], labels: Sequence[object], note: str = "") -> pa.Table:
    rows = pa.array([{"bytes": image, "path": "0.png"} for image in images])
    table = pa.table({"image": rows, "label": pa.array(labels)})
    return table.replace_schema_metadata({"huggingface": note} if note else None)


def parquet(table: pa.Table, compression: str = "zstd") -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression=compression, row_group_size=1 << 26)
    return buffer.getvalue()


def features(**label: object) -> str:
    return json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", **label}}}})


def many_rows(count: int) -> bytes:
    """Return a file of some kilobytes with millions of rows: one label, and one image of a byte, as often."""
    labels = pa.array(np.zeros(count, np.int32))
    images = pa.DictionaryArray.from_arrays(labels, pa.array([b"x"]))
    return parquet(pa.table({"image": images.cast(pa.binary()), "label": labels}))


def one_value(size: int) -> bytes:
    return parquet(frame([*PICTURES, bytes(size)], [*LABELS, 0]))


def scrambled(seed: int) -> bytes:
    """Return a file whose pages were changed, and its metadata not."""
    content, lot = bytearray(parquet(frame(PICTURES, LABELS), "snappy")), random.Random(seed)
    end = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    for _ in range(60):
        content[lot.randrange(4, end)] = lot.randrange(256)
    return bytes(content)


def other_footer(seed: int) -> bytes:
    content, lot = bytearray(parquet(frame(PICTURES, LABELS))), random.Random(seed)
    start = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    for _ in range(8):
        content[lot.randrange(start, len(content) - 8)] = lot.randrange(256)
    return bytes(content)


def arrow(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as stream:
        stream.write_table(table)
    return buffer.getvalue()


def wrong_ends(column: str, ends: tuple[int, int]) -> bytes:
    """Return an arrow file in which the first value of a column is said to be elsewhere."""
    labels = [("a", "bb", "a", "bb")[number % 4] * 3 for number in range(8)]
    content = arrow(frame(PICTURES, labels))
    lengths = [len(one) for one in (PICTURES if column == "image" else labels)]
    whole = [sum(lengths[:number]) for number in range(9)]
    old = struct.pack("<9i", *whole)
    assert content.count(old) == 1
    return content.replace(old, struct.pack("<9i", *ends, *whole[2:]))


def tar(*members: tuple[str, object], kind: Literal["w", "w:gz"] = "w") -> bytes:
    """Return an archive of eight pictures with classes, and these: content, or what kind of link or device."""
    buffer = io.BytesIO()
    usual = [(f"{n}.{end}", one) for n in range(8) for end, one in (("jpg", PICTURES[n]), ("cls", b"%d" % LABELS[n]))]
    with tarfile.open(fileobj=buffer, mode=kind) as archive:
        for name, content in [*usual, *members]:
            about = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                about.size = len(content)
                archive.addfile(about, io.BytesIO(content))
            else:
                about.type, about.linkname = content if isinstance(content, tuple) else (content, "")
                archive.addfile(about)
    return buffer.getvalue()


def lying_tar(field: bytes) -> bytes:
    """Return an archive whose second member says this of its size."""
    content = bytearray(tar())
    at = content.index(b"0.cls") + 124
    content[at : at + 12] = field
    header = at - 124
    content[header + 148 : header + 156] = b" " * 8
    content[header + 148 : header + 156] = b"%06o\0 " % sum(content[header : header + 512])
    return bytes(content)


CSV = "file_name,label\n" + "".join(f"{n}.png,{'ab'[n % 2]}\n" for n in range(8))
LINES = "".join(json.dumps({"file_name": f"{n}.png", "label": "ab"[n % 2]}) + "\n" for n in range(8))

# File, its content, and how it must end.
FILES: dict[str, tuple[str, Callable[[], bytes], Ends]] = {
    "20 million rows": ("a.parquet", lambda: many_rows(20_000_000), "refused"),
    "an image of 300 MB": ("a.parquet", lambda: one_value(300 << 20), "refused"),
    "an image of 1.5 GB": ("a.parquet", lambda: one_value(3 << 29), "refused"),
    "half a parquet": ("a.parquet", lambda: parquet(frame(PICTURES, LABELS))[:-300], "refused"),
    **{f"changed pages {n}": ("a.parquet", lambda n=n: scrambled(n), "refused") for n in range(4)},  # type: ignore[misc]
    **{f"a changed footer {n}": ("a.parquet", lambda n=n: other_footer(n), "either") for n in range(4)},  # type: ignore[misc]
    "a footer of 4 GB": ("a.parquet", lambda: b"PAR1" + bytes(40) + b"\xff\xff\xff\xffPAR1", "refused"),
    "an encrypted parquet": ("a.parquet", lambda: b"PARE" + bytes(40) + b"\x10\0\0\0PARE", "refused"),
    "a million names": (
        "a.parquet",
        lambda: parquet(frame(PICTURES, LABELS, features(names=["a"] * 10**6))),
        "refused",
    ),
    "names in brackets": ("a.parquet", lambda: parquet(frame(PICTURES, LABELS, "[" * 10**6)), "read"),
    "names that are code": ("a.parquet", lambda: parquet(frame(PICTURES, LABELS, features(names=MARK))), "either"),
    "names that colour": (
        "a.parquet",
        lambda: parquet(frame(PICTURES, LABELS, features(names=["\x1b[31m", "b"]))),
        "read",
    ),
    "labels beyond": ("a.parquet", lambda: parquet(frame(PICTURES, [2**62, *LABELS[1:]])), "refused"),
    "labels that are lists": ("a.parquet", lambda: parquet(frame(PICTURES, [[n] for n in LABELS])), "refused"),
    "labels that are NaN": ("a.parquet", lambda: parquet(frame(PICTURES, [float("nan")] * 8)), "refused"),
    "images by names elsewhere": (
        "a.parquet",
        lambda: parquet(pa.table({"image": ["/etc/passwd"] * 8, "label": LABELS})),
        "refused",
    ),
    "half an arrow": ("a.arrow", lambda: arrow(frame(PICTURES, LABELS))[:-900], "refused"),
    "a label elsewhere": ("a.arrow", lambda: wrong_ends("label", (0, 2**31 - 1)), "refused"),
    "a label before": ("a.arrow", lambda: wrong_ends("label", (-(2**31), 3)), "refused"),
    "an image elsewhere": ("a.arrow", lambda: wrong_ends("image", (0, 2**31 - 1)), "refused"),
    "an image before": ("a.arrow", lambda: wrong_ends("image", (-(2**30), 3)), "refused"),
    "an arrow of 4 GB": ("a.arrow", lambda: b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(100), "refused"),
    "absolute names": ("a.tar", lambda: tar((f"/tmp/{MARK}.jpg", PICTURES[0]), (f"/tmp/{MARK}.cls", b"1")), "read"),
    "names that lead upwards": (
        "a.tar",
        lambda: tar((f"../../{MARK}.jpg", PICTURES[0]), (f"../../{MARK}.cls", b"1")),
        "read",
    ),
    "links to secrets": ("a.tar", lambda: tar(("x.jpg", (tarfile.SYMTYPE, "/etc/passwd")), ("x.cls", b"1")), "read"),
    "hard links": (
        "a.tar",
        lambda: tar(("x.cls", (tarfile.LNKTYPE, "/etc/passwd")), ("x.jpg", (tarfile.LNKTYPE, "0.jpg"))),
        "either",
    ),
    "a hard link to itself": ("a.tar", lambda: tar(("x.jpg", (tarfile.LNKTYPE, "x.jpg"))), "either"),
    "devices": (
        "a.tar",
        lambda: tar(("x.jpg", tarfile.CHRTYPE), ("y.jpg", tarfile.BLKTYPE), ("z.jpg", tarfile.FIFOTYPE)),
        "read",
    ),
    "a class of brackets": ("a.tar", lambda: tar(("x.jpg", PICTURES[0]), ("x.json", b"[" * 900_000)), "refused"),
    "a class of 5 MB": ("a.tar", lambda: tar(("x.jpg", PICTURES[0]), ("x.cls", b"9" * 5_000_000)), "refused"),
    "a class of many digits": ("a.tar", lambda: tar(("x.jpg", PICTURES[0]), ("x.cls", b"9" * 9_000)), "either"),
    "a class that is no text": ("a.tar", lambda: tar(("x.jpg", PICTURES[0]), ("x.cls", b"\xff\0\x1b[31m")), "either"),
    "a member of exabytes": ("a.tar", lambda: lying_tar(b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7), "refused"),
    "a member of less than nothing": ("a.tar", lambda: lying_tar(b"\xff" * 11 + b"\x00"), "refused"),
    "many members": ("a.tar", lambda: tar()[:-10_240] + 50_000 * tarfile.TarInfo("a").tobuf(), "either"),
    "a packed bomb": ("a.tar", lambda: tar(("x.jpg", bytes(1 << 29)), kind="w:gz"), "refused"),
    "a packed bomb.gz": ("a.tar.gz", lambda: tar(kind="w:gz"), "refused"),
    "NUL": ("a.csv", lambda: CSV.replace("3.png", "3\0.png").encode(), "refused"),
    "a huge cell": ("a.csv", lambda: (CSV + "9.png," + "c" * 5_000_000 + "\n").encode(), "refused"),
    "an open quote": ("a.csv", lambda: (CSV + '"9.png,a\n' * 100_000).encode(), "refused"),
    "many columns": ("a.csv", lambda: ("file_name,label," + "x," * 1_000_000 + "\n").encode(), "refused"),
    "formulas": ("a.csv", lambda: (CSV + "=cmd|'/c calc'!A1,a\n").encode(), "refused"),
    "paths upwards": ("a.csv", lambda: (CSV + "../../../../../../etc/passwd,a\n").encode(), "refused"),
    "a path of a device": ("a.csv", lambda: (CSV + "/dev/zero,a\n").encode(), "refused"),
    "a path of the kernel's log": ("a.csv", lambda: (CSV + "/proc/kmsg,a\n").encode(), "refused"),
    "a path of a web page": ("a.csv", lambda: (CSV + "http://127.0.0.1:9/a.png,a\n").encode(), "refused"),
    "a path of 5000 letters": ("a.csv", lambda: (CSV + "a" * 5000 + ".png,a\n").encode(), "refused"),
    "classes that colour": ("a.csv", lambda: CSV.replace("png,a", "png,\x1b[31m").encode(), "either"),
    "UTF-16": ("a.csv", lambda: CSV.encode("utf-16"), "refused"),
    "nothing": ("a.csv", lambda: b"", "refused"),
    "random": ("a.csv", lambda: random.Random(0).randbytes(100_000), "refused"),
    "a line of brackets": ("a.jsonl", lambda: (LINES + "[" * 1_000_000 + "\n").encode(), "refused"),
    "a number of many digits": ("a.jsonl", lambda: (LINES + '{"label": ' + "9" * 100_000 + "}\n").encode(), "refused"),
    "many names": (
        "a.jsonl",
        lambda: "".join(json.dumps({f"k{n}": 1}) + "\n" for n in range(30_000)).encode(),
        "refused",
    ),
    "objects as paths": ("a.jsonl", lambda: LINES.replace('"3.png"', '{"a": ["b"]}').encode(), "refused"),
    "NaN as classes": ("a.jsonl", lambda: LINES.replace('"a"', "NaN").encode(), "refused"),
    "text that is code": ("a.jsonl", lambda: f"open('{MARK}', 'w')\n".encode(), "refused"),
}


def _written(name: str, content: Callable[[], bytes], ends: Ends) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        (ground.place / name).write_bytes(content())
        for number, image in enumerate(PICTURES):
            (ground.place / f"{number}.png").write_bytes(image)
        return Case(ground.train(lot.choice([ground.place / name] * 2 + [ground.place] * (name[-3:] != ".gz"))), ends)

    return make


def _placed(name: str, put: Callable[[Path], object]) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        put(ground.place / name)
        return Case(ground.train(lot.choice([ground.place / name, ground.place])))

    return make


KINDS: dict[str, Maker] = {
    **{f"table: {name}": _written(*what) for name, what in FILES.items()},
    **{f"table: a pipe{end}": _placed(f"train{end}", os.mkfifo) for end in (".csv", ".parquet", ".tar", ".arrow")},
    **{
        f"table: a terabyte{end}": _placed(f"train{end}", sparse)
        for end in (".csv", ".jsonl", ".parquet", ".tar", ".arrow")
    },
    **{
        f"table: a {kind}{end}": _placed(f"train{end}", lambda path, place=place: path.symlink_to(place))  # type: ignore[misc]
        for kind, place in (("device", "/dev/zero"), ("log of the kernel", "/proc/kmsg"))
        for end in (".csv", ".parquet", ".tar", ".arrow")
    },
}
