"""From the bytes of a picture to the numbers the network wants.

`read` looks at the header in the body of a request, `Encoded.decoded` then spends memory on pixels and gives
an upright RGB picture; both are `image_file`'s, as in upload and training, and what it cannot use becomes a
refusal that says why. `Transform` is the evaluation transform of training, number for number: decode as large
as needed, resize and centre crop (`pixels`), scale and normalise (`normalised`). Nothing here knows of a
network or imports a deep-learning library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract.pictures import file as image_file
from contract.pictures.parts import MAX_PIXELS, Problem, UndecodablePicture
from inference_code.api_error import ApiError

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
# A picture more elongated than this is cut to its middle before it is resized: the shorter side decides the
# scale, so a strip of 1×40,000,000 pixels would be blown up to terabytes of which the crop sees little.
MAX_ELONGATION = 32


def read(body: bytes) -> Encoded:
    """The header of a picture, checked; its pixels are not decoded yet.

    Args:
        body: the bytes of a JPEG, PNG, WebP, BMP, GIF, TIFF or MPO file.

    Raises:
        ApiError: EmptyBody, UnsupportedImage, TruncatedImage or TooManyPixels, each with status 400.
    """
    if not body:
        raise _bad("EmptyBody", "The request has no body. Send the bytes of one picture as the body.")
    with _refusing(body):
        return Encoded(body, image_file.read(body))


class Encoded:
    """A picture of which only the header has been read, and which can be decoded once.

    It lets go of its pixels then: while a request waits for the network, its square is all that is kept.

    Attributes:
        width, height: pixels, as the header says and before any turn.
    """

    def __init__(self, body: bytes, picture: image_file.EncodedPicture) -> None:
        self.width, self.height = picture.width, picture.height
        self._body, self._picture = body, picture

    def decoded(self, enough: int | None = None) -> Image.Image:
        """The first frame, upright, as RGB: see `image_file.EncodedPicture.decoded`.

        Raises:
            ApiError: UnsupportedImage or TruncatedImage, each with status 400.
        """
        with _refusing(self._body):
            return self._picture.decoded(enough)


@contextmanager
def _refusing(body: bytes) -> Iterator[None]:
    """What is no picture as a refusal."""
    try:
        yield
    except UndecodablePicture as error:
        raise _refusal(body, error) from error


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


def _bad(code: str, message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, code, message)


def _refusal(body: bytes, error: UndecodablePicture) -> ApiError:
    if error.problem is Problem.TOO_LARGE:
        most = f"At most {MAX_PIXELS:,} are taken: scale it down and send it again."
        return _bad("TooManyPixels", f"The picture {error}. {most}")
    if error.problem is Problem.TRUNCATED:
        return _bad("TruncatedImage", "The picture is cut short: send the whole file.")
    kind = next((kind for signature, kind in SIGNATURES.items() if body.startswith(signature)), None)
    if error.problem is not Problem.UNKNOWN:
        return _bad("UnsupportedImage", f"The {kind or 'picture'} {error}.")
    if kind:
        damaged = "cannot be read as one: it is damaged or cut short."
        return _bad("UnsupportedImage", f"The body starts like a {kind} but {damaged}")
    start = body[:64].lstrip()
    advice = next((advice for prefix, advice in MISTAKES if start.startswith(prefix)), "")
    return _bad(
        "UnsupportedImage",
        f"The body is not a JPEG, PNG, WebP, BMP, GIF, TIFF or MPO picture. {advice}".strip(),
    )
