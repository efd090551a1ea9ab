"""Small pictures that ask for much: memory, time or recursion."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from benchmarks.hostile_pictures import MOST_BYTES, Case, encoded, scene

Named = tuple[str, bytes]


def bombs() -> list[Case]:
    """Sixty small files that ask for memory, time or recursion."""
    cases = [
        *_png_bombs(),
        *_jpeg_bombs(),
        *_gif_bombs(),
        *_tiff_bombs(),
        *_other_bombs(),
    ]
    return [Case(name, body[:MOST_BYTES]) for name, body in cases]


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, depth: int, colour: int, interlace: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def _zeros(megabytes: int) -> bytes:
    """So many megabytes of zeros, deflated."""
    squeezed = zlib.compressobj(9)
    return b"".join(squeezed.compress(bytes(1 << 20)) for _ in range(megabytes)) + squeezed.flush()


def _png_bombs() -> Iterator[Named]:
    for side, depth, colour in (
        (65_000, 1, 0),
        (50_000, 8, 2),
        (30_000, 16, 6),
        (20_000, 8, 3),
        (2**31 - 1, 8, 0),
    ):
        palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
        for interlace in (0, 1):
            yield (
                f"png {side}x{side} depth {depth} interlace {interlace}",
                _png(side, side, depth, colour, interlace, palette, chunk(b"IDAT", _zeros(64))),
            )
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    bomb = _zeros(1024)
    yield "png text bomb", _png(9, 9, 8, 0, 0, chunk(b"zTXt", b"k\0\0" + bomb), pixels)
    yield "png international text bomb", _png(9, 9, 8, 0, 0, chunk(b"iTXt", b"k\0\1\0\0\0" + bomb), pixels)
    yield "png colour profile bomb", _png(9, 9, 8, 0, 0, chunk(b"iCCP", b"k\0\0" + bomb), pixels)
    yield "png 90 texts", _png(9, 9, 8, 0, 0, *[chunk(b"zTXt", b"k\0\0" + _zeros(1))] * 90, pixels)
    yield "png 300,000 chunks", _png(9, 9, 8, 0, 0, *[chunk(b"tEXt", b"k\0v")] * 280_000, pixels)
    yield "png a row of 40 megapixels", _png(40_000_000, 1, 8, 0, 0, chunk(b"IDAT", _zeros(39)))
    yield "png a column of 40 megapixels", _png(1, 40_000_000, 8, 0, 0, chunk(b"IDAT", _zeros(77)))
    yield "apng 100,000 frames", _png(
        9, 9, 8, 0, 0, chunk(b"acTL", struct.pack(">II", 100_000, 0)), pixels,
        *[chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, 9, 9, 0, 0, 1, 1, 0, 0))] * 90_000,
    )  # fmt: skip


def _jpeg_bombs() -> Iterator[Named]:
    plain = encoded(scene((64, 64)), "JPEG")
    frame = plain.index(b"\xff\xc0")
    for side in (20_000, 65_500):
        claimed = plain[: frame + 5] + struct.pack(">HH", side, side) + plain[frame + 9 :]
        yield f"jpeg claims {side}x{side}", claimed
    progressive = encoded(Image.new("RGB", (6000, 6000), (30, 60, 90)), "JPEG", progressive=True)
    last = progressive[progressive.rindex(b"\xff\xda") : -2]
    for extra in (50, 5_000, 100_000):
        yield f"jpeg {extra} more scans", progressive[:-2] + last * extra + b"\xff\xd9"
    marker = b"\xff\xe5" + struct.pack(">H", 4) + b"ab"
    yield "jpeg 500,000 markers", plain[:2] + marker * 500_000 + plain[2:]
    yield "jpeg filled with ff", plain[:2] + b"\xff" * 4_000_000 + plain[2:]
    profile = (
        b"\xff\xe2" + struct.pack(">H", 2 + 14 + 60_000) + b"ICC_PROFILE\0" + b"\x01\xff" + bytes(60_000)
    )
    yield "jpeg 70 profiles", plain[:2] + profile * 70 + plain[2:]
    loop = b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1)
    loop += struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    yield "jpeg exif loop", plain[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(loop)) + loop + plain[2:]
    many = b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", 5_000)
    many += struct.pack("<HHII", 0x0112, 4, 2**31, 8) * 5_000
    yield (
        "jpeg exif of 5,000 orientations",
        plain[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(many)) + many + plain[2:],
    )
    offsets = b"MPF\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", 2)
    offsets += struct.pack("<HHII", 0xB001, 4, 1, 2**31 - 1) + struct.pack("<HHII", 0xB002, 7, 16 * 4000, 50)
    yield (
        "mpo of two thousand million",
        plain[:2] + b"\xff\xe2" + struct.pack(">H", 2 + len(offsets)) + offsets + plain[2:],
    )


def _gif_bombs() -> Iterator[Named]:
    one = encoded(Image.new("P", (1, 1)), "GIF")
    for side in (20_000, 65_535):
        yield f"gif {side}x{side}", b"GIF89a" + struct.pack("<HH", side, side) + one[10:]
    image = one[one.index(b"\x2c") : -1]
    huge = b"\x2c" + struct.pack("<HHHH", 0, 0, 65_535, 65_535) + image[9:]
    yield "gif frame larger than the screen", one[: one.index(b"\x2c")] + huge + b"\x3b"
    yield "gif 200,000 frames", one[:-1] + image * 200_000 + b"\x3b"
    yield (
        "gif comment of 4 MB",
        one[: one.index(b"\x2c")] + b"\x21\xfe" + (b"\xff" + b"c" * 255) * 16_000 + b"\0" + image + b"\x3b",
    )
    yield "gif without an end", one[:-1] + b"\x21\xfe" + b"\x01c" * 2_000_000


def _tiff_bombs() -> Iterator[Named]:
    for strips in (1_000, 100_000, 560_000):
        yield f"tiff {strips} strips", _tiff_strips(strips)
    for side in (4_096, 100_000, 2**31 - 1):
        yield f"tiff tile of {side}", _tiff(
            (256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1),
            (322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 200), (325, 4, 1, 20),
        )  # fmt: skip
    for side in (20_000, 2**31 - 1):
        yield f"tiff {side}x{side}", _tiff(
            (256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 5), (262, 3, 1, 1),
            (273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, 20),
        )  # fmt: skip
    yield "tiff 60,000 samples", _tiff(
        (256, 4, 1, 100), (257, 4, 1, 100), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 200), (277, 3, 1, 60_000), (278, 4, 1, 100), (279, 4, 1, 20),
    )  # fmt: skip
    yield (
        "tiff a tag of 4 GB",
        _tiff((256, 4, 1, 9), (257, 4, 1, 9), (258, 3, 1, 8), (34675, 7, 2**32 - 1, 8)),
    )
    yield "tiff 60,000 tags", _tiff(*[(1000 + number, 4, 1, 1) for number in range(60_000)])
    directory = struct.pack("<H", 1) + struct.pack("<HHII", 256, 4, 1, 9) + struct.pack("<I", 8)
    yield "tiff directory loop", b"II*\0" + struct.pack("<I", 8) + directory
    yield "tiff inner directories loop", _tiff((256, 4, 1, 9), (330, 4, 1, 8), (34665, 4, 1, 8))
    deflated = _zeros(100)
    head = _tiff(
        (256, 4, 1, 10_000), (257, 4, 1, 10_000), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
        (273, 4, 1, 200), (277, 3, 1, 1), (278, 4, 1, 10_000), (279, 4, 1, len(deflated)),
    )  # fmt: skip
    yield "tiff 100 MB deflated", head[:200] + deflated


def _tiff(*tags: tuple[int, int, int, int]) -> bytes:
    ifd = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (b"II*\0" + struct.pack("<IH", 8, len(tags)) + ifd + b"\0" * 4).ljust(220, b"\0")


def _tiff_strips(strips: int) -> bytes:
    place = 8 + 2 + 12 * 9 + 4
    tags = [(256, 4, 1, 1), (257, 4, 1, 40_000_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    tags += [(273, 4, strips, place), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, strips, place + 4 * strips)]
    ifd = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    offsets, counts = struct.pack("<I", 200) * strips, struct.pack("<I", 1) * strips
    return b"II*\0" + struct.pack("<IH", 8, 9) + ifd + b"\0" * 4 + offsets + counts


def _other_bombs() -> Iterator[Named]:
    plain = encoded(scene((64, 64)), "BMP")
    for width, height in ((2**31 - 1, 2**31 - 1), (100_000, 100_000), (1, -(2**31)), (40_000, 1_000)):
        yield f"bmp {width}x{height}", plain[:18] + struct.pack("<ii", width, height) + plain[26:]
    runs = plain[:18] + struct.pack("<iiHHI", 6_000, 6_000, 1, 8, 1) + plain[34:54] + bytes(1024)
    yield "bmp run lengths", runs + b"\xff\x01" * 100_000
    yield "bmp run lengths that skip", runs + b"\0\x02\xff\xff" * 1_000_000
    lossless = encoded(Image.new("RGB", (16_383, 16_383)), "WEBP", lossless=True, quality=0, method=0)
    yield "webp 268 megapixels", lossless
    yield "webp cut short", lossless[: len(lossless) // 2]
    yield "webp claims 4 GB", lossless[:4] + b"\xff\xff\xff\xff" + lossless[8:]
    frames = [Image.new("RGB", (8, 8), (number % 256, 0, 0)) for number in range(1_000)]
    yield "webp 1,000 frames", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    header = b"RIFF\xff\xff\xff\x00WEBPVP8X\x0a\0\0\0\x02\0\0\0" + b"\xff" * 6
    yield "webp canvas of 16 million a side", header + b"ANIM\x06\0\0\0" + bytes(6)
