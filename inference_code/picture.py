"""A picture in the body of a request: read, decoded, and refused in words where it is none.

`read` looks at the header, `Encoded.decoded` then spends memory on pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import numpy as np
from PIL import Image

from contract.pictures import file as image_file
from contract.pictures.parts import MAX_PIXELS, Problem, UndecodablePicture
from contract.pictures.transform import Pixels, Transform
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


def read(body: bytes) -> Encoded:
    """The header of a picture, checked; its pixels are not decoded yet.

    Raises:
        ApiError: EmptyBody, UnsupportedImage, TruncatedImage or TooManyPixels, each with status 400.
    """
    if not body:
        raise _bad("EmptyBody", "The request has no body. Send the bytes of one picture as the body.")
    with _refusing(body):
        return Encoded(body, image_file.read(body))


class Encoded:
    """A picture of which only the header has been read, and which can be decoded once.

    `width` and `height` are pixels as the header says, before any turn. `upright` is the width and height of
    what was decoded, which may be a fraction of it.
    """

    upright: tuple[int, int]

    def __init__(self, body: bytes, picture: image_file.EncodedPicture) -> None:
        self.width, self.height = picture.width, picture.height
        self._body, self._picture = body, picture

    def decoded(self, enough: int | None = None) -> Image.Image:
        """The first frame, upright, as RGB: see `image_file.EncodedPicture.decoded`.

        Raises:
            ApiError: UnsupportedImage or TruncatedImage, each with status 400.
        """
        with _refusing(self._body):
            decoded = self._picture.decoded(enough)
        self.upright = decoded.size
        return decoded


@contextmanager
def _refusing(body: bytes) -> Iterator[None]:
    """What is no picture as a refusal."""
    try:
        yield
    except UndecodablePicture as error:
        raise _refusal(body, error) from error


def pixels(picture: Encoded, transform: Transform) -> Pixels:
    """The square as the graph takes it, uint8 RGBA of shape (crop, crop, 4).

    Alpha is 255: the graph tells the square by it from the padding around it.

    Raises:
        ApiError: see `Encoded.decoded`.
    """
    square = transform.square(picture.decoded(transform.enough), transform.crop)
    square.putalpha(255)
    return np.asarray(square)


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
