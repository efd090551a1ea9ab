"""From the bytes of a picture to the numbers the network wants.

`read` looks at the header in the body of a request (allowed format, size within the limit), `Encoded.decoded`
then spends memory on pixels and gives an upright RGB picture; both answer everything else with a refusal that
says why. `Transform` is the evaluation transform of training, number for number: decode as large as needed,
resize and centre crop (`pixels`), scale and normalise (`normalised`). Nothing here knows of a network or
imports a deep-learning library.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import (  # noqa: F401  (importing a plugin registers its format, sparing Image.open the search)
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)
from refusal import Refusal

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # an MPO is opened as a JPEG
WHITE = (255, 255, 255, 255)
EXIF_ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# What people send by mistake, by the first bytes of it, and what to tell them.
MISTAKES: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "This is a Git LFS pointer, not the picture: run `git lfs pull` and send the file.",
    ),
    (b"data:", "This is a data URI: send the raw bytes of the picture."),
    (b"/9j/", "This is a JPEG as base64 text: send the raw bytes."),
    (b"iVBORw0KGgo", "This is a PNG as base64 text: send the raw bytes."),
    (b"R0lGOD", "This is a GIF as base64 text: send the raw bytes."),
    (b"UklGR", "This is a WebP as base64 text: send the raw bytes."),
    (b"{", "This looks like JSON: send the raw bytes of the picture as the body."),
    (b"[", "This looks like JSON: send the raw bytes of the picture as the body."),
    (b"<", "This looks like HTML, XML or SVG: send a pixel picture."),
    (b"PK\x03\x04", "This is a ZIP archive: send one picture."),
    (b"%PDF", "This is a PDF: send a picture of the page."),
    (b"\x00\x00\x00", "If this is an HEIC, AVIF or video file, convert it to JPEG first."),
)
SIGNATURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP"}
TIFF_TILE_WIDTH, TIFF_TILE_LENGTH = 322, 323
JPEG_SCAN = b"\xff\xda"
# A progressive JPEG passes over all its pixels once per scan, and a scan costs the sender 14 bytes: without a
# limit a body of 6 MB keeps a core busy for hours. Cameras and editors write about 10 scans. This many
# pixels are passed over in about one second.
MAX_SCANNED_PIXELS = 2_000_000_000
# A picture more elongated than this is cut to its middle before it is resized: the shorter side decides the
# scale, so a strip of 1×40,000,000 pixels would be blown up to terabytes of which the crop sees little.
MAX_ELONGATION = 32


def read(body: bytes, max_pixels: int) -> Encoded:
    """The header of a picture, checked; its pixels are not decoded yet.

    Args:
        body: the bytes of a JPEG, PNG, WebP, BMP, GIF, TIFF or MPO file.
        max_pixels: width times height allowed.

    Raises:
        Refusal: EmptyBody, UnsupportedImage, TruncatedImage or TooManyPixels, each with status 400.
    """
    if not body:
        raise _bad("EmptyBody", "The request has no body. Send the bytes of one picture as the body.")
    with _refusing(body):
        picture = _open(body, max_pixels)
        return Encoded(body, picture, picture.width, picture.height)


@dataclass
class Encoded:
    """A picture of which only the header has been read, and which can be decoded once.

    It lets go of its pixels then: while a request waits for the network, its square is all that is kept.

    Attributes:
        width, height: pixels, as the header says and before any turn.
    """

    _body: bytes
    _picture: Image.Image | None
    width: int
    height: int

    def decoded(self, enough: int | None = None) -> Image.Image:
        """The first frame, upright, as RGB.

        Args:
            enough: a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, which is quicker and needs less memory,
                as long as neither side gets shorter than this many pixels. None: at its full size.

        Returns:
            A PIL picture of mode RGB: EXIF orientation applied, transparency laid on white, 16-bit samples
            reduced to their high byte (what Pillow does itself for 16-bit colour).

        Raises:
            Refusal: UnsupportedImage or TruncatedImage, each with status 400.
        """
        picture, self._picture = self._picture, None
        if picture is None:
            raise RuntimeError("The picture has been decoded before.")
        with _refusing(self._body):
            if enough is not None:
                picture.draft(None, (enough, enough))
            picture.load()
            return _rgb(_upright(picture))


@contextmanager
def _refusing(body: bytes) -> Iterator[None]:
    """Pillow's errors as refusals."""
    try:
        yield
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        # Pillow's decoders raise whatever their parsing runs into (OSError, SyntaxError, struct.error,
        # KeyError, ...): all of them mean that these bytes are no sound picture.
        raise _damaged(body, error) from error


def _open(body: bytes, max_pixels: int) -> Image.Image:
    """Read the header and check the format and the size."""
    try:
        picture = Image.open(io.BytesIO(body), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _unidentified(body) from error
    except Image.DecompressionBombError as error:
        # Pillow's own, far higher limit; some formats check it while they read the header.
        raise _too_many_pixels("The picture is far too large.", max_pixels) from error
    _check_area(picture.width, picture.height, max_pixels)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        # A small TIFF may claim huge tiles, and libtiff makes room for a whole tile at once.
        tile = picture.tag_v2.get(TIFF_TILE_WIDTH), picture.tag_v2.get(TIFF_TILE_LENGTH)
        if isinstance(tile[0], int) and isinstance(tile[1], int):
            _check_area(tile[0], tile[1], max_pixels)
    if picture.info.get("progressive"):
        scans = body.count(JPEG_SCAN)
        if scans * picture.width * picture.height > MAX_SCANNED_PIXELS:
            raise _bad(
                "UnsupportedImage", f"The JPEG is drawn in {scans:,} scans: save it without progressive mode."
            )
    return picture


def _check_area(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_many_pixels(f"The picture is {width}×{height} = {width * height:,} pixels.", max_pixels)


def _upright(picture: Image.Image) -> Image.Image:
    """Turn and mirror as the camera's orientation tag says; a tag that cannot be read says nothing."""
    try:
        orientation = picture.getexif().get(EXIF_ORIENTATION)
    except Exception:  # damaged metadata in a sound picture: Pillow raises anything here
        return picture
    method = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return picture if method is None else picture.transpose(method)


def _rgb(picture: Image.Image) -> Image.Image:
    """Any mode as RGB, the way a person sees it on a white page."""
    if picture.mode in ("I", "F"):
        raise _bad(
            "UnsupportedImage",
            f"The picture has 32-bit samples (mode {picture.mode}), which have no agreed white. "
            "Save it with 8 or 16 bits per channel.",
        )
    if picture.mode.startswith("I;16"):
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, WHITE), picture).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey, with an alpha channel if one of its values stands for transparent."""
    samples = np.frombuffer(picture.tobytes(), ">u2" if picture.mode.endswith("B") else "<u2")
    samples = samples.reshape(picture.height, picture.width)
    grey = Image.fromarray((samples >> 8).astype(np.uint8))
    see_through = picture.info.get("transparency")
    if isinstance(see_through, int):
        grey.putalpha(Image.fromarray(np.where(samples == see_through, 0, 255).astype(np.uint8)))
    return grey


@dataclass(frozen=True)
class Transform:
    """The evaluation transform, as `model.json` of the artifact states it.

    Attributes:
        resize: pixels of the shorter side (mode `shorter`) or of both sides (mode `exact`).
        resize_mode: whether the proportions are kept.
        crop: pixels of the side of the centre square that the network sees.
        mean: per channel, subtracted after scaling to 0..1.
        std: per channel, divided by.
        jpeg_draft: a JPEG may be decoded smaller as long as both its sides keep this many times `resize`.
            None: models from before there was this.
    """

    resize: int
    resize_mode: Literal["shorter", "exact"]
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    jpeg_draft: int | None = None

    @property
    def enough(self) -> int | None:
        """Pixels of both sides that `Encoded.decoded` has to give at least."""
        return None if self.jpeg_draft is None else self.jpeg_draft * self.resize

    def pixels(self, picture: Image.Image) -> NDArray[np.uint8]:
        """The square of an RGB picture that the network sees, uint8 of shape (crop, crop, 4).

        RGBA, and alpha is 255: the graph tells the square by it from the padding around it.
        """
        square = self._resized_crop(picture)
        square.putalpha(255)
        return np.asarray(square)

    def normalised(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The square as a batch of one, float32 of shape (1, 3, crop, crop)."""
        batch = np.empty((1, 3, self.crop, self.crop), np.float32)
        for channel in range(3):
            np.take(self._values[channel], pixels[:, :, channel], out=batch[0, channel])
        return batch

    def _resized_crop(self, picture: Image.Image) -> Image.Image:
        if self.resize_mode == "exact":
            size = (self.resize, self.resize)
        else:
            picture = _shortened(picture)
            width, height = picture.size
            # torchvision's rounding, here and in the crop: training resizes and crops with it.
            if width <= height:
                size = (self.resize, int(self.resize * height / width))
            else:
                size = (int(self.resize * width / height), self.resize)
        # Only what the crop will show is computed: the box is the crop, seen in the picture.
        across, down = picture.width / size[0], picture.height / size[1]
        left, top = (round((side - self.crop) / 2) for side in size)
        right = min(picture.width, (left + self.crop) * across)  # never beyond it by a rounding
        bottom = min(picture.height, (top + self.crop) * down)
        box = (left * across, top * down, right, bottom)
        return picture.resize((self.crop, self.crop), Image.Resampling.BILINEAR, box)

    @cached_property
    def _values(self) -> NDArray[np.float32]:
        """What each of the 256 values of each channel becomes, shape (3, 256): exact, and one look-up."""
        scaled = np.arange(256, dtype=np.float32) / np.float32(255)
        mean, std = (np.array(values, np.float32)[:, None] for values in (self.mean, self.std))
        return (scaled - mean) / std


def _shortened(picture: Image.Image) -> Image.Image:
    """The middle of a picture that is longer than MAX_ELONGATION times its shorter side."""
    width, height = picture.size
    longest = MAX_ELONGATION * min(width, height)
    if max(width, height) <= longest:
        return picture
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return picture.crop((left, top, left + min(width, longest), top + min(height, longest)))


def _bad(code: str, message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, code, message)


def _too_many_pixels(what: str, max_pixels: int) -> Refusal:
    return _bad("TooManyPixels", f"{what} At most {max_pixels:,} are taken: scale it down and send it again.")


def _kind(body: bytes) -> str | None:
    return next((kind for signature, kind in SIGNATURES.items() if body.startswith(signature)), None)


def _unidentified(body: bytes) -> Refusal:
    if kind := _kind(body):
        return _bad(
            "UnsupportedImage",
            f"The body starts like a {kind} but cannot be read as one: it is damaged or cut short.",
        )
    start = body[:64].lstrip()
    advice = next((advice for prefix, advice in MISTAKES if start.startswith(prefix)), "")
    return _bad(
        "UnsupportedImage",
        f"The body is not a JPEG, PNG, WebP, BMP, GIF, TIFF or MPO picture. {advice}".strip(),
    )


def _damaged(body: bytes, error: Exception) -> Refusal:
    if "truncated" in str(error).lower():
        return _bad("TruncatedImage", "The picture is cut short: send the whole file.")
    return _bad(
        "UnsupportedImage",
        f"The {_kind(body) or 'picture'} is damaged and cannot be decoded ({type(error).__name__}: {error}).",
    )
