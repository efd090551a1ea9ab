"""The parts of an image file: those that draw its picture, and how the camera was held.

Of a JPEG or a TIFF Pillow gets only the parts that draw the picture. Files of other kinds go to it whole,
if they have not too many parts. So damaged or endless metadata neither fails nor turns nor slows anything.
A file that takes many times the work of others of its size is refused before that work begins.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

MAX_PIXELS: Final = 52_000_000
"""Width times height: what is sold as 50 megapixels (8256x6192 at most). The worst of them to decode, a WebP,
takes 16 bytes a pixel, 830 MB; an endpoint has 1 GB or more for each core, and each decodes one at a time."""
MOST_READS: Final = 100_000
"""Pieces in which a file may be read; each is some work in Python."""
_MOST_SEGMENTS: Final = 5_000
"""Before the pixels of a JPEG."""
_MOST_SCANS: Final = 1_000
_MOST_CHUNKS: Final = 200
"""Of a PNG, beside those with pixels: each may take a millisecond to unpack."""
_MOST_TAGS: Final = 2_000
"""Of a TIFF, which has a few dozen."""
_MOST_VALUES: Final = 1_000
"""In a tag of a TIFF; a palette has 768. Places of strips and tiles have a bound of their own."""


class Problem(Enum):
    """Why a picture cannot be used, for programs."""

    UNKNOWN = "not of a known format"
    DAMAGED = "damaged"
    TRUNCATED = "cut short"
    TOO_LARGE = "too many pixels"
    NOT_TAKEN = "of a kind that is not taken"


class UndecodablePicture(Exception):
    """These bytes are no picture that can be used.

    Args:
        problem: the kind of reason.
        reason: the same for people, as it goes on after "the picture".
    """

    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__(reason)
        self.problem = problem


class Parts(NamedTuple):
    """What is in a file."""

    drawing: bytes
    """The parts that Pillow gets, as a file of the same format."""
    orientation: int | None = None
    """Of EXIF; None: not looked for yet, because Pillow finds it on its way."""
    scans: int = 1
    """How many times a JPEG passes over its pixels."""


def parts_of(content: bytes) -> Parts:
    """What is in this file.

    Raises:
        UndecodablePicture: a Git LFS pointer, or it has more parts than a picture of its size needs.
    """
    if content.startswith(b"version https://git-lfs"):
        reason = "is a Git LFS pointer, not the picture itself: fetch it with `git lfs pull`"
        raise UndecodablePicture(Problem.UNKNOWN, reason)
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(content)
    if content.startswith((b"II", b"MM")):
        return _tiff(content)
    return Parts(content)


def orientation(exif: bytes, xmp: bytes) -> int:
    """How the picture is stored, 1 to 8; 1, upright, if neither says so.

    EXIF is asked first. Its tag should be of the type SHORT; any number counts, whatever the type, if it is a
    whole one. https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf
    """
    prefix = b"Exif\0\0"  # a WebP may have it once too often
    for tag in islice(_tags(exif.removeprefix(prefix).removeprefix(prefix)), _MOST_TAGS):
        if tag.number == _ORIENTATION:
            return _one_to_eight(tag.first())
    found = re.search(rb"tiff:Orientation(?:=\"|>)([1-8])", xmp)
    return int(found[1]) if found else 1


def check_area(width: int, height: int) -> None:
    """Raises UndecodablePicture if these are too many pixels."""
    if width * height > MAX_PIXELS:
        reason = f"has {width}x{height} = {width * height:,} pixels, more than {MAX_PIXELS:,}"
        raise UndecodablePicture(Problem.TOO_LARGE, reason)


def made_slow(what: str) -> UndecodablePicture:
    """What is raised for a picture that takes many times the work of others of its size."""
    return UndecodablePicture(Problem.NOT_TAKEN, f"{what}: save it anew with any editor")


def _one_to_eight(number: float | None) -> int:
    return int(number) if number is not None and number in range(1, 9) else 1


# JPEG: https://www.w3.org/Graphics/JPEG/itu-t81.pdf, annex B

_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_MARKER_IN_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Among the pixels, of which the markers of restarts are a part."""
_WITHOUT_LENGTH: Final = frozenset({0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
_METADATA: Final = frozenset({*range(0xE1, 0xEE), 0xEF, 0xFE})
"""APP0 and APP14 stay: they say how the colours are meant."""
_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = (b"\xc2", b"\xc6", b"\xca", b"\xce")
_APP1, _SCAN, _END = 0xE1, 0xDA, 0xD9


def _jpeg(content: bytes) -> Parts:
    segments: list[bytes | memoryview] = [content[:2]]
    frame, exif, xmp = b"", b"", b""
    for number, (kind, start, end) in enumerate(_segments(content, 2, _MARKER)):
        segment = content[start:end]
        if number == _MOST_SEGMENTS:
            raise made_slow(f"has more than {_MOST_SEGMENTS:,} segments")
        if kind == _SCAN:
            segments.append(memoryview(content)[start:])  # megabytes, which are copied once
            # The components that this scan draws, and those that the picture has.
            several = frame[1:2] in _PROGRESSIVE or segment[4:5] != frame[9:10]
            scans = _scans(content, start) if several else 1
            return Parts(b"".join(segments), orientation(exif, xmp), scans)
        if kind in _FRAME:
            frame = segment
        if kind not in _METADATA:
            segments.append(segment)
        elif kind == _APP1:
            exif = exif or _after(b"Exif\0\0", segment[4:])
            xmp = xmp or _after(b"http://ns.adobe.com/xap/1.0/\0", segment[4:])
    return Parts(b"".join(segments))


def _segments(content: bytes, at: int, marker: re.Pattern[bytes]) -> Iterator[tuple[int, int, int]]:
    """Kind, start and end of each segment from here on; stray bytes between them are passed over."""
    while found := marker.search(content, at):
        kind, start, at = content[found.end() - 1], found.start(), found.end()
        if kind not in _WITHOUT_LENGTH:
            at += max(2, int.from_bytes(content[at : at + 2], "big"))
        yield kind, start, at


def _scans(content: bytes, start: int) -> int:
    """How many scans draw the picture whose first one starts here."""
    scans = 0
    for kind, _, _ in _segments(content, start, _MARKER_IN_SCAN):
        scans += kind == _SCAN
        if scans > _MOST_SCANS:
            raise made_slow(f"is drawn in more than {_MOST_SCANS:,} scans")
        if kind == _END:
            break
    return scans


def _after(prefix: bytes, content: bytes) -> bytes:
    return content.removeprefix(prefix) if content.startswith(prefix) else b""


# PNG: https://www.w3.org/TR/png-3/#5Chunk-layout


def _png(content: bytes) -> Parts:
    at, others = 8, 0
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        at += 12 + length
        others += kind not in (b"IDAT", b"fdAT", b"fcTL")
        if others > _MOST_CHUNKS:
            raise made_slow(f"has more than {_MOST_CHUNKS} chunks beside its pixels")
    return Parts(content)


# TIFF: https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf

_ORIENTATION, _XMP = 274, 700
_WIDTH, _HEIGHT, _SAMPLES, _ROWS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 277, 278, 284, 322, 323
_OFFSETS: Final = frozenset({273, 324})
"""Where strips and tiles are."""
_PLACES: Final = _OFFSETS | {279, 325}
"""And how long they are."""
_DRAWING: Final = _PLACES | frozenset({
    256, 257, 258, 259, 262, 266, 277, 278, 284, 292, 293, 317, 320, 322, 323, 332, 338, 339, 347,
    *range(512, 522), *range(529, 533), 0xBC01,
})  # fmt: skip
"""Tags without which a picture would look different."""
_NUMBERS: Final = {
    1: "B", 3: "H", 4: "I", 5: "2I", 6: "b", 8: "h", 9: "i", 10: "2i", 11: "f", 12: "d", 13: "I",
    16: "Q", 17: "q", 18: "Q",
}  # fmt: skip
"""How a number is stored, by the type of its tag; the other types are bytes."""
_TYPE_OF_NONE: Final = b"\0\0"


class _Tag(NamedTuple):
    """A tag of a TIFF: where its entry is, what it is, how many values it has and where."""

    at: int
    number: int
    kind: int
    values: int
    place: int
    size: int
    order: str
    start: bytes

    def first(self) -> float | None:
        """The first value, if it is a number; of a rational one the quotient."""
        form = self.order + _NUMBERS.get(self.kind, "")
        if len(form) == 1 or len(self.start) < struct.calcsize(form):
            return None
        value, *below = struct.unpack_from(form, self.start)
        if below and not below[0]:
            return None
        return float(value / below[0]) if below else float(value)


def _tags(content: bytes) -> Iterator[_Tag]:
    """The tags of the first directory of a TIFF, which EXIF is as well; nothing if these bytes are none."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None or len(content) < 16:
        return
    big = content[2] == 43
    offset, counted, entry = ("Q", "Q", "HHQ8s") if big else ("I", "H", "HHI4s")
    (start,) = struct.unpack_from(order + offset, content, 8 if big else 4)
    if start + struct.calcsize(order + counted) > len(content):
        return
    (count,) = struct.unpack_from(order + counted, content, start)
    start += struct.calcsize(order + counted)
    form = struct.Struct(order + entry)
    for at in range(start, min(start + count * form.size, len(content) - form.size + 1), form.size):
        number, kind, values, inline = form.unpack_from(content, at)
        size = values * struct.calcsize("=" + _NUMBERS.get(kind, "B"))
        place = at + form.size - len(inline)
        if size > len(inline):
            (place,) = struct.unpack(order + offset, inline)
        yield _Tag(at, number, kind, values, place, size, order, content[place : place + min(size, 16)])


def _tiff(content: bytes) -> Parts:
    """The file, in which tags that do not draw are of no type, so that nobody reads them."""
    if content[2:4] not in (b"*\0", b"\0*", b"+\0"):  # a big-endian BigTIFF is misread by Pillow
        raise UndecodablePicture(Problem.UNKNOWN, "is no TIFF that can be read")
    drawing, tags = bytearray(content), dict[int, _Tag]()
    for number, tag in enumerate(_tags(content)):
        if number == _MOST_TAGS:
            raise made_slow(f"has more than {_MOST_TAGS:,} tags")
        if tag.number in tags or tag.number not in _DRAWING:
            drawing[tag.at + 2 : tag.at + 4] = _TYPE_OF_NONE
        tags.setdefault(tag.number, tag)
    _check_layout(tags)
    turned, xmp_tag = tags.get(_ORIENTATION), tags.get(_XMP)
    xmp = content[xmp_tag.place : xmp_tag.place + xmp_tag.size] if xmp_tag else b""
    way = _one_to_eight(turned.first()) if turned else orientation(b"", xmp)
    return Parts(bytes(drawing), way)


def _check_layout(tags: dict[int, _Tag]) -> None:
    """Refuse fewer strips or tiles than the picture has, whose rest would be black, or more than it needs."""

    def value(number: int, default: float) -> int:
        first = tags[number].first() if number in tags else None
        return max(1, int(default if first is None else first))

    width, height = value(_WIDTH, 1), value(_HEIGHT, 1)
    check_area(width, height)
    planes = value(_SAMPLES, 1) if value(_PLANAR, 1) == 2 else 1
    needed = planes * -(-height // min(height, value(_ROWS, height)))
    if _TILE_WIDTH in tags and _TILE_HEIGHT in tags:
        across, down = value(_TILE_WIDTH, width), value(_TILE_HEIGHT, height)
        check_area(across, down)  # room is made for a whole tile at once
        needed = planes * -(-width // across) * -(-height // down)
    most = 10_000 + width * height // 2048
    if needed > 1:  # of one strip that is the whole picture only one place is looked at
        most = min(needed, most)
    for tag in tags.values():
        if tag.number in _PLACES and tag.values > most:
            raise made_slow(f"is stored in {tag.values:,} strips or tiles, and {most:,} are enough")
        if tag.number in _DRAWING - _PLACES and tag.values > _MOST_VALUES and tag.kind in _NUMBERS:
            raise made_slow(f"has {tag.values:,} values in its tag {tag.number}")
    least = min((tags[number].values for number in _OFFSETS if number in tags), default=needed)
    if least < needed:
        reason = f"has {least:,} of its {needed:,} strips or tiles"
        raise UndecodablePicture(Problem.TRUNCATED, reason)
