"""An image file: from its bytes to an upright RGB picture.

Upload, training and serving read every picture by this module: what is uploaded can be trained on and served,
and all three see the same pixels. Pillow decodes the first frame. The orientation is read from the metadata
by its tag alone (`parts`). What is see-through is laid on white. 16-bit grey keeps its high byte, which is
what Pillow does with 16-bit colour.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from PIL import (  # noqa: F401  (importing a plugin registers its format, sparing Image.open the search)
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageChops,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from contract.datasets import FORMATS
from contract.pictures.parts import (
    MOST_READS,
    Problem,
    UndecodablePicture,
    check_area,
    made_slow,
    orientation,
    parts_of,
)

_MOST_SCANNED_PIXELS: Final = 2_000_000_000
"""A JPEG in several scans passes over all its pixels once per scan, and a scan costs its sender 14 bytes;
cameras and editors write about 10. This many pixels are passed over in about a second."""
_MOST_RUN_LENGTH_PIXELS: Final = 4_000_000
"""Of a run-length encoded BMP, which Pillow unpacks in Python."""
_BAND_PIXELS: Final = 1_000_000
"""So many are laid on white at once: laying a picture on white takes four times its memory."""

_WHITE: Final = (255, 255, 255, 255)
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(content: bytes) -> EncodedPicture:
    """The header of the picture in these bytes, checked; its pixels are not decoded yet.

    Args:
        content: of a JPEG, PNG, WebP, BMP, GIF, TIFF or MPO file.

    Raises:
        UndecodablePicture: not of these formats, of too many pixels, or made so that it takes long.
    """
    with _judging():
        parts = parts_of(content)
        # A file that has been gone through is known to be of few pieces.
        gone_through = parts.orientation is not None
        file = io.BytesIO(parts.drawing) if gone_through else _Metered(parts.drawing)
        picture = Image.open(file, formats=tuple(FORMATS))
        check_area(picture.width, picture.height)
        _check_work(picture, parts.scans)
        return EncodedPicture(picture, parts.orientation)


def decode(content: bytes, enough: int | None = None) -> Image.Image:
    """The picture in these bytes: see `read` and `EncodedPicture.decoded`."""
    return read(content).decoded(enough)


class EncodedPicture:
    """A picture of which only the header has been read, and which can be decoded once.

    It lets go of its pixels then.

    Attributes:
        width, height: pixels, as the header says and before any turn.
        kind: Pillow's name of its format.
        mode: Pillow's name of how its colours are stored.
    """

    def __init__(self, picture: Image.Image, way: int | None) -> None:
        self.width, self.height = picture.size
        self.kind = str(picture.format)
        self.mode = picture.mode
        self._picture: Image.Image | None = picture
        self._way = way

    def decoded(self, enough: int | None = None) -> Image.Image:
        """The first frame, upright, as RGB.

        Args:
            enough: a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, which is quicker and needs less memory,
                as long as neither side gets shorter than this many pixels. None: at its full size.

        Raises:
            UndecodablePicture: damaged, cut short, or of 32-bit samples.
        """
        picture, self._picture = self._picture, None
        if picture is None:
            raise RuntimeError("The picture has been decoded before.")
        with _judging():
            if enough is not None:
                picture.draft(None, (enough, enough))
            picture.load()
            way = _orientation_of(picture) if self._way is None else self._way
            turn = _UPRIGHT.get(way)
            picture = _rgb(picture)
            return picture if turn is None else picture.transpose(turn)


@contextmanager
def _judging() -> Iterator[None]:
    """Pillow's errors as ours: its decoders raise whatever their parsing runs into."""
    try:
        yield
    except (UndecodablePicture, MemoryError):
        raise
    except UnidentifiedImageError:
        raise UndecodablePicture(Problem.UNKNOWN, "is of no format that is read, or damaged") from None
    except Image.DecompressionBombError:
        raise UndecodablePicture(Problem.TOO_LARGE, "has far too many pixels") from None
    except Exception as error:
        # Pillow names the file in memory by its address, which would differ from run to run.
        message = " ".join(str(error).split("<_io")[0].split())[:120] or type(error).__name__
        problem = Problem.TRUNCATED if "truncated" in message.lower() else Problem.DAMAGED
        raise UndecodablePicture(problem, f"cannot be decoded: {message}") from error


class _Metered(io.BytesIO):
    """A file that is read in a bounded number of pieces: what Pillow parses in Python it reads in pieces."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise made_slow(f"is stored in more than {MOST_READS:,} pieces")
        return super().read(size)


def _check_work(picture: Image.Image, scans: int) -> None:
    """Refuse what takes many times the work of other pictures of its size."""
    area = picture.width * picture.height
    if scans * area > _MOST_SCANNED_PIXELS:
        raise made_slow(f"is a JPEG drawn in {scans:,} scans")
    tiles = getattr(picture, "tile", None)
    if tiles and tiles[0][0] == "bmp_rle" and area > _MOST_RUN_LENGTH_PIXELS:
        raise made_slow(f"is a run-length encoded BMP of more than {_MOST_RUN_LENGTH_PIXELS:,} pixels")


def _orientation_of(picture: Image.Image) -> int:
    """What the metadata says that Pillow has found in a PNG or WebP."""
    exif, xmp = picture.info.get("exif"), picture.info.get("xmp")  # of a PNG they may be anybody's text
    profile = picture.info.get("Raw profile type exif")
    if exif is None and isinstance(profile, str):  # ImageMagick's way: a name, a length and hexadecimal lines
        with suppress(ValueError):
            exif = bytes.fromhex("".join(profile.split("\n")[3:]))
    return orientation(*(metadata if isinstance(metadata, bytes) else b"" for metadata in (exif, xmp)))


def _rgb(picture: Image.Image) -> Image.Image:
    """Any mode as RGB, the way a person sees it on a white page."""
    if picture.mode in ("I", "F"):
        reason = (
            f"has 32-bit samples (mode {picture.mode}), which have no agreed white: save it with 8 or 16 bits"
        )
        raise UndecodablePicture(Problem.NOT_TAKEN, reason)
    if picture.mode.startswith("I;16"):
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        return _on_white(picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    result = Image.new("RGB", picture.size)
    rows = max(1, _BAND_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        band = picture.crop((0, top, picture.width, min(top + rows, picture.height))).convert("RGBA")
        result.paste(
            Image.alpha_composite(Image.new("RGBA", band.size, _WHITE), band).convert("RGB"), (0, top)
        )
    return result


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey, with an alpha channel if one of its values stands for transparent."""
    samples = picture.tobytes()
    first, second = (Image.frombytes("L", picture.size, samples[start::2]) for start in (0, 1))
    high, low = (first, second) if picture.mode.endswith("B") else (second, first)
    value = picture.info.get("transparency")
    if isinstance(value, int):
        equal = ImageChops.multiply(_where(high, value >> 8), _where(low, value & 255))
        high.putalpha(ImageChops.invert(equal))
    return high


def _where(picture: Image.Image, value: int) -> Image.Image:
    """255 where it has this value, 0 elsewhere."""
    return picture.point([255 * (each == value) for each in range(256)])
