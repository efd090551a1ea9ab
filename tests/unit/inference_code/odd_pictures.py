"""Pictures with odd or damaged metadata, and files that are made to be slow, drawn on the spot."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image, PngImagePlugin

from tests.unit.inference_code.pictures import encoded, scene

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, EXIF_DIRECTORY = 0x0112, 0x011A, 0x011B, 0x8769
DESCRIPTION = 0x010E
BYTE, ASCII, SHORT, LONG, RATIONAL, SLONG, SRATIONAL, FLOAT, DOUBLE = 1, 2, 3, 4, 5, 9, 10, 11, 12

Tag = tuple[int, int, int, bytes]
"""Number, type, count and value of a tag."""

LYING = Image.Transpose.ROTATE_90
"""What has been done to a picture whose orientation is 6."""


def exif(*tags: Tag) -> bytes:
    """An EXIF block, little-endian; a value of more than four bytes that is empty lies outside of it."""
    entries, data = b"", b""
    for number, kind, count, value in sorted(tags):
        place = struct.pack("<I", 8 + 2 + 12 * len(tags) + 4 + len(data))
        if not value:
            place = b"\xff\xff\xff\x0f"
        elif len(value) <= 4:
            place = value.ljust(4, b"\0")
        else:
            data += value
        entries += struct.pack("<HHI", number, kind, count) + place
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


TURNED: Tag = (ORIENTATION, SHORT, 1, struct.pack("<H", 6))

SAYS_SIX: Mapping[str, bytes] = {
    "short": exif(TURNED),
    "long": exif((ORIENTATION, LONG, 1, struct.pack("<I", 6))),
    "byte": exif((ORIENTATION, BYTE, 1, b"\6")),
    "rational": exif((ORIENTATION, RATIONAL, 1, struct.pack("<II", 12, 2))),
    "float": exif((ORIENTATION, FLOAT, 1, struct.pack("<f", 6))),
    "double": exif((ORIENTATION, DOUBLE, 1, struct.pack("<d", 6))),
    "two values": exif((ORIENTATION, SHORT, 2, struct.pack("<HH", 6, 1))),
    "negative resolution": exif(TURNED, (Y_RESOLUTION, SRATIONAL, 1, struct.pack("<ii", -1, 1))),
    "resolution by nought": exif(TURNED, (X_RESOLUTION, RATIONAL, 1, struct.pack("<II", 72, 0))),
    "resolution as text": exif(TURNED, (X_RESOLUTION, ASCII, 3, b"72\0")),
    "directory outside of the file": exif(TURNED, (EXIF_DIRECTORY, SLONG, 1, struct.pack("<i", -1))),
    "directory in itself": exif(TURNED, (EXIF_DIRECTORY, LONG, 1, struct.pack("<I", 8))),
    "description outside of the file": exif((DESCRIPTION, ASCII, 900, b""), TURNED),
    "a type that does not exist": exif(TURNED, (0x010F, 99, 1, b"abcd")),
}
"""Blocks that turn a picture by 90 degrees, whatever else is wrong with them."""

SAYS_NOTHING: Mapping[str, bytes] = {
    "text": exif((ORIENTATION, ASCII, 2, b"6\0")),
    "nine": exif((ORIENTATION, SHORT, 1, struct.pack("<H", 9))),
    "nought": exif((ORIENTATION, SHORT, 1, b"\0\0")),
    "between two": exif((ORIENTATION, RATIONAL, 1, struct.pack("<II", 13, 2))),
    "by nought": exif((ORIENTATION, RATIONAL, 1, struct.pack("<II", 6, 0))),
    "not a number": exif((ORIENTATION, FLOAT, 1, struct.pack("<f", float("nan")))),
    "endless": exif((ORIENTATION, DOUBLE, 1, struct.pack("<d", float("inf")))),
    "of no values": exif((ORIENTATION, SHORT, 0, b"\6\0")),
    "outside of the block": exif((ORIENTATION, RATIONAL, 1, b"")),
    "cut short": exif(TURNED)[:14],
    "noise": b"Canon EOS",
}
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def segment(kind: int, data: bytes) -> bytes:
    """A segment of a JPEG."""
    return b"\xff" + bytes([kind]) + struct.pack(">H", len(data) + 2) + data


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg(picture: Image.Image, *segments: bytes) -> bytes:
    """The picture with these segments before all others."""
    body = encoded(picture, "JPEG", quality=92)
    return body[:2] + b"".join(segments) + body[2:]


def png(picture: Image.Image, *chunks: bytes, last: bool = False) -> bytes:
    """The picture with these chunks behind its header, or behind its pixels."""
    body = encoded(picture, "PNG")
    at = len(body) - 12 if last else 33
    return body[:at] + b"".join(chunks) + body[at:]


def tiff(picture: Image.Image, *tags: Tag, compression: str = "raw") -> bytes:
    """The picture with these tags beside those it needs."""
    body = encoded(picture, "TIFF", compression=compression)
    (start,) = struct.unpack_from("<I", body, 4)
    (count,) = struct.unpack_from("<H", body, start)
    own = [body[at : at + 12] for at in range(start + 2, start + 2 + 12 * count, 12)]
    given = {number for number, *_ in tags}
    own = [entry for entry in own if struct.unpack_from("<H", entry)[0] not in given]
    data = body + bytes(-len(body) % 2)
    for number, kind, values, value in tags:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", len(data))
        data += value if len(value) > 4 else b""
        own.append(struct.pack("<HHI", number, kind, values) + place)
    directory = struct.pack("<H", len(own)) + b"".join(sorted(own, key=lambda e: e[1::-1])) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


def in_every_format(stored: Image.Image) -> dict[str, bytes]:
    """A picture whose metadata says, in one way of each format, that its orientation is 6."""
    block = exif(TURNED)
    text = f"\nexif\n{len(block) + 6:8}\n" + (b"Exif\0\0" + block).hex()
    profile = b"Raw profile type exif\0\0" + zlib.compress(text.encode())
    pnginfo = PngImagePlugin.PngInfo()
    pnginfo.add_itxt("XML:com.adobe.xmp", XMP.decode())
    tag = (ORIENTATION, SHORT, 1, struct.pack("<H", 6))
    damaged: tuple[Tag, ...] = (
        (X_RESOLUTION, ASCII, 3, b"72\0"),
        (EXIF_DIRECTORY, SLONG, 1, struct.pack("<i", -1)),
        (Y_RESOLUTION, SRATIONAL, 1, struct.pack("<ii", -1, 1)),
    )
    return {
        "jpeg exif": jpeg(stored, segment(0xE1, b"Exif\0\0" + block)),
        "jpeg xmp": jpeg(stored, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)),
        "png exif": png(stored, chunk(b"eXIf", block)),
        "png exif behind the pixels": png(stored, chunk(b"eXIf", block), last=True),
        "png profile": png(stored, chunk(b"zTXt", profile)),
        "png xmp": encoded(stored, "PNG", pnginfo=pnginfo),
        "webp exif": encoded(stored, "WEBP", exif=b"Exif\0\0" + block, lossless=True),
        "webp exif with two prefixes": encoded(stored, "WEBP", exif=b"Exif\0\0" * 2 + block, lossless=True),
        "webp xmp": encoded(stored, "WEBP", xmp=XMP, lossless=True),
        "mpo": encoded(
            stored, "MPO", quality=92, exif=b"Exif\0\0" + block, save_all=True, append_images=[scene()]
        ),
        "tiff": tiff(stored, tag),
        "tiff rational": tiff(stored, (ORIENTATION, RATIONAL, 1, struct.pack("<II", 6, 1))),
        "tiff with damaged tags": tiff(stored, tag, *damaged),
        "compressed tiff with damaged tags": tiff(stored, tag, *damaged, compression="tiff_lzw"),
        "tiff xmp": tiff(stored, (700, BYTE, len(XMP), XMP)),
    }


def many_strips(strips: int) -> bytes:
    """A TIFF of one column, forty million rows and too few strips for them: each costs its reader work."""
    offsets = 8 + 2 + 12 * 9 + 4
    tags = [
        (256, 4, 1, 1), (257, 4, 1, 40_000_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, strips, offsets), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, strips, offsets + 4 * strips),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    places = struct.pack("<I", 200) * strips + struct.pack("<I", 1) * strips
    return b"II*\0" + struct.pack("<IH", 8, 9) + directory + bytes(4) + places


def made_slow() -> dict[str, Callable[[], bytes]]:
    """Files of a few pixels, or of few bytes, that would take seconds or a gigabyte to read."""
    small = scene()
    bomb = zlib.compress(bytes(1_000_000), 9)
    flat = encoded(Image.new("RGB", (4000, 4000)), "JPEG", subsampling=0)
    header = flat[: flat.index(b"\xff\xda")]
    columns, rows = 2000, 2000
    drawn_again: tuple[Tag, ...] = (
        (273, LONG, 3000, struct.pack("<I", 8) * 3000),
        (278, LONG, 1, struct.pack("<I", rows - 1)),
    )
    gif = encoded(small.quantize(4), "GIF")
    start = 13 + (3 << (gif[10] & 7) + 1)
    run_length = struct.pack("<IiiHHIIiiII", 40, 30_000, 1_000, 1, 8, 1, 4, 0, 0, 256, 0)
    return {
        "tiff of 750,000 strips": lambda: many_strips(750_000),
        "tiff whose strips are drawn again": lambda: tiff(Image.new("1", (columns, rows)), *drawn_again),
        "tiff of a million samples": lambda: tiff(small, (258, RATIONAL, 200_000, bytes(8) * 200_000)),
        "tiff of many tags": lambda: tiff(small, *((1_000 + n, SHORT, 1, b"\1\0") for n in range(20_000))),
        "jpeg of many segments": lambda: jpeg(small, segment(0xE5, b"") * 100_000),
        "jpeg of many exif segments": lambda: jpeg(small, segment(0xE1, b"Exif\0\0a") * 100_000),
        "jpeg of many tables": lambda: jpeg(small, segment(0xDB, b"\0" + b"\1" * 64) * 20_000),
        "jpeg drawn in many empty scans": lambda: (
            header + segment(0xDA, b"\1\1\0\0\x3f\0") * 2000 + b"\xff\xd9"
        ),
        "png of many profiles": lambda: png(small, chunk(b"iCCP", b"a\0\0" + bomb) * 1000),
        "png of many damaged texts": lambda: png(
            small, chunk(b"zTXt", b"a\0\0" + bomb[:-4] + b"abcd") * 1000
        ),
        "png of many chunks": lambda: png(small, chunk(b"teSt", b"") * 100_000),
        "png of many pieces": lambda: png(small, chunk(b"IDAT", b"") * 100_000),
        "gif of many comments": lambda: gif[:start] + b"!\xfe" + b"\1a" * 200_000 + b"\0" + gif[start:],
        "gif of many extensions": lambda: gif[:start] + b"!\1\0" * 200_000 + gif[start:],
        "large run-length encoded bmp": lambda: (
            b"BM" + struct.pack("<IHHI", 1082, 0, 0, 1078) + run_length + bytes(1024) + b"\1\1\0\0"
        ),
    }


def modes() -> dict[str, bytes]:
    """A picture of each mode in each format that can hold it."""
    rgb = scene()
    grey16 = Image.frombytes("I;16", rgb.size, bytes(n % 251 for n in range(2 * rgb.width * rgb.height)))
    see_through = rgb.convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(rgb.size))
    frames = {"save_all": True, "append_images": [rgb.rotate(180)]}
    of: list[tuple[str, Image.Image, dict[str, Any]]] = [
        *((mode, rgb.convert(mode), {}) for mode in ("1", "L", "P", "RGB", "CMYK", "YCbCr", "F", "I")),
        ("LAB", Image.frombytes("LAB", rgb.size, rgb.tobytes()), {}),
        ("LA", see_through.convert("LA"), {}),
        ("RGBA", see_through, {}),
        ("I;16", grey16, {}),
        ("I;16B", Image.frombytes("I;16B", rgb.size, grey16.tobytes()), {}),
        ("I;16 with a transparent value", grey16, {"transparency": 514}),
        ("L with a transparent value", rgb.convert("L"), {"transparency": 90}),
        ("RGB with a transparent value", rgb, {"transparency": (250, 20, 20)}),
        ("P with a transparent colour", rgb.quantize(16), {"transparency": 3}),
        ("P with transparent colours", rgb.quantize(16), {"transparency": bytes(range(0, 160, 10))}),
        ("animation", rgb, frames),
        ("see-through animation", see_through, frames),
    ]
    made = {}
    for name, picture, options in of:
        for form in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"):
            try:
                made[f"{form} {name}"] = encoded(picture, form, **options)
            except (OSError, ValueError, KeyError, TypeError):
                continue  # this format has no such mode
    return made
