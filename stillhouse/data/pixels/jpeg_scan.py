"""The bytes of a JPEG from segment to segment, without decoding: what ends a decoder in its middle shows there.

libjpeg stops at a marker that belongs nowhere and at a damaged Huffman table, and nearly every damaged block of a disk
holds such a marker. Zeros instead of data, as copies that were not finished have them, decode to a picture that is
garbage from there on, and no decoder complains. Bits that are wrong or missing without such a trace are not found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_MARKER = re.compile(rb"\xff[^\x00\xff]")  # 0xFF followed by 0 is a byte of pixels
_FILLED = re.compile(rb"\x00{64,}|\xff{64,}")
_RUNS = (bytes(64), b"\xff" * 64)
_FRAMES, _PROGRESSIVE = (0xC0, 0xC1, 0xC2), 0xC2
_DHT, _SOS, _DQT, _DRI, _COMMENT = 0xC4, 0xDA, 0xDB, 0xDD, 0xFE
_EOI = b"\xd9"
_PLAIN = (*_FRAMES, _DHT, _SOS, _DQT, _DRI, _COMMENT, *range(0xE0, 0xF0))
_RESTARTS = [bytes([value]) for value in range(0xD0, 0xD8)]
_END_OF_BLOCK = 0


@dataclass
class _Seen:
    """Facts that the segments told so far."""

    frame: int = 0  # its marker
    colours: dict[int, int] = field(default_factory=dict)  # their tables of quantisation, by their names
    quantised: set[int] = field(default_factory=set)  # tables of quantisation that there are
    blocks: int = 0  # of 8x8 values, of all colours
    are_together: bool = False  # all colours are in one scan
    restarts: int = 0  # steps between two restart markers; 0 for none
    scans: int = 0
    lengths: dict[int, int] = field(default_factory=dict)  # of the first code in bits, by table
    ends_blocks: bool = True  # the first code of each table ends a block, so zeros may be a plain area
    damage: str = ""  # that a decoder passes over


@dataclass(frozen=True)
class Scanned:
    """A verdict on the bytes of a JPEG.

    Args:
        is_whole: True if a decoder will read it to its end; False if only decoding can tell.
        damage: A clause about what a decoder passes over, although what it shows is garbage; empty if nothing is known.
    """

    is_whole: bool
    damage: str = ""


def scanned(content: bytes) -> Scanned:
    """Go over the segments of a JPEG, of which it is known that it begins like one."""
    seen, at = _Seen(), 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        segment, at = content[at + 4 : at + 2 + length], at + 2 + length
        if marker not in _PLAIN or length < 2 or at > len(content) or not _is_known(marker, segment, seen):
            return Scanned(False, seen.damage)
        if marker == _SOS:
            seen.scans += 1
            is_plain = seen.scans == 1 and _is_plain(segment, seen)
            end = _end_of_scan(content, at, seen)
            seen.damage = seen.damage or _damage(content, at, end, seen)
            if content[end + 1 : end + 2] == _EOI:
                return Scanned(is_plain and not seen.damage, seen.damage)
            at = end
    return Scanned(False, seen.damage)


def _is_known(marker: int, segment: bytes, seen: _Seen) -> bool:
    """Note what a segment says; return False for one that a decoder may refuse."""
    if marker == _DHT:
        return _tables(segment, seen)
    if marker == _DRI:
        seen.restarts = int.from_bytes(segment, "big")
        return len(segment) == 2
    if marker in _FRAMES:
        return not seen.frame and _frame(marker, segment, seen)
    if marker == _DQT:
        seen.quantised |= {value & 15 for value in segment[::65]} | {value & 15 for value in segment[::129]}
    if marker == _SOS:
        seen.are_together = seen.frame != _PROGRESSIVE and [*segment[1:-3:2]] == [*seen.colours]
        return seen.frame > 0
    return True


def _frame(marker: int, segment: bytes, seen: _Seen) -> bool:
    """Note size and colours; return False for those that a decoder may refuse."""
    if len(segment) < 6 or segment[0] != 8 or len(segment) != 6 + 3 * segment[5]:
        return False
    height, width = (int.from_bytes(segment[place : place + 2], "big") for place in (1, 3))
    sampling = [(value >> 4, value & 15) for value in segment[7::3]]
    if not sampling or any(not 1 <= one <= 4 for value in sampling for one in value):
        return False
    if len(sampling) > 4 or (len(sampling) > 1 and sum(one * other for one, other in sampling) > 10):
        return False
    across, down = (8 * max(value[place] for value in sampling) for place in (0, 1))
    seen.frame, seen.colours = marker, dict(zip(segment[6::3], segment[8::3], strict=True))
    seen.blocks = -(-width // across) * -(-height // down) * sum(one * other for one, other in sampling)
    return seen.blocks > 0


def _is_plain(scan: bytes, seen: _Seen) -> bool:
    """Return True if a scan holds all of a picture, and all tables that it needs were there."""
    named = {kind for value in scan[2:-3:2] for kind in (value >> 4, 0x10 | value & 15)}
    has_tables = named <= seen.lengths.keys() and seen.quantised >= {*seen.colours.values()}
    return seen.are_together and has_tables and scan.endswith(b"\x00\x3f\x00") and scan[0] == len(seen.colours)


def _tables(segment: bytes, seen: _Seen) -> bool:
    """Note the first codes of Huffman tables; return False if one is no table."""
    at = 0
    while at < len(segment):
        counts, kind = segment[at + 1 : at + 17], segment[at]
        symbols = segment[at + 17 : at + 17 + sum(counts)]
        room = 1  # codes of each length that are left
        for count in counts:
            room = 2 * room - count
            if room < 0:
                return False
        if len(counts) < 16 or not symbols or len(symbols) < sum(counts) or kind & 0xEF > 3:
            return False
        if kind < 0x10 and max(symbols) > 15:  # differences of neighbours have no more bits
            return False
        seen.lengths[kind] = next(bits for bits, count in enumerate(counts, 1) if count)
        seen.ends_blocks &= kind < 0x10 or symbols[0] == _END_OF_BLOCK
        at += 17 + len(symbols)
    return True


def _end_of_scan(content: bytes, start: int, seen: _Seen) -> int:
    """Return where the first marker that does not belong to the pixels begins; the end of the file if none does."""
    for restarts, found in enumerate(_MARKER.finditer(content, start)):
        if not seen.restarts or content[found.start() + 1] != 0xD0 + restarts % 8:
            return found.start()
    return len(content)


def _damage(content: bytes, start: int, end: int, seen: _Seen) -> str:
    """Return a clause about bytes that were never written, unless a plain area can be the reason, or an odd marker."""
    longest, value = 0, 0
    if any(content.find(run, start, end) >= 0 for run in _RUNS):  # a search some hundred times as fast as the next one
        longest, value = max((len(found.group()), found.group()[0]) for found in _FILLED.finditer(content, start, end))
    if longest and (value or 8 * longest > _plain(seen)):
        return f"has {longest:,} bytes in its middle that were never written"
    if not seen.restarts and content[end + 1 : end + 2] in _RESTARTS:
        return "is damaged in its middle, where a marker is that does not belong there"
    return ""


def _plain(seen: _Seen) -> int:
    """Return how many bits in a row can be zero where the picture is plain."""
    if not seen.are_together:
        return seen.blocks  # one for each block
    return seen.blocks * sum(max(own, default=0) for own in _by_kind(seen)) if seen.ends_blocks else 0


def _by_kind(seen: _Seen) -> tuple[list[int], list[int]]:
    """Return the lengths of the first codes, of tables for the mean of a block and for the rest of it."""
    means = [bits for kind, bits in seen.lengths.items() if kind < 0x10]
    return means, [bits for kind, bits in seen.lengths.items() if kind >= 0x10]
