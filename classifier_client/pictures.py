"""What a caller has, as the bytes of a picture."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Final

from classifier_client.errors import NotAPicture

Picture = Any
"""A path, the bytes of a file, a Pillow image, or an array (height, width, 3) or (height, width) of uint8."""

_MOST_BYTES: Final = 4_400_000
"""What fits through API Gateway and Lambda, a little less."""
_LONGER_SIDE: Final = 2048
"""Pixels: models look at a few hundred."""


def content(picture: Picture) -> bytes:
    """The bytes to send.

    Files and bytes go as they are: the API judges them. What is in memory as pixels becomes a PNG, or, where
    that is too large, a JPEG.

    Raises:
        NotAPicture: it is none of what `Picture` names.
        OSError: the file cannot be read.
    """
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return bytes(picture)
    if isinstance(picture, (str, os.PathLike)):
        return Path(picture).read_bytes()
    return _encoded(_image(picture))


def _image(picture: Picture) -> Any:
    """A Pillow image: itself, or of an array."""
    if hasattr(picture, "thumbnail") and hasattr(picture, "save"):
        return picture.copy()
    if hasattr(picture, "__array_interface__"):
        from PIL import Image

        if str(picture.dtype) != "uint8":
            raise NotAPicture(f"an array of {picture.dtype}: pixels have to be uint8, from 0 to 255")
        try:
            return Image.fromarray(picture)
        except (TypeError, ValueError) as error:
            raise NotAPicture(
                f"an array of shape {picture.shape}: it has to be (height, width, 3), or (height, width)"
            ) from error
    raise NotAPicture(
        f"{type(picture).__name__} is no picture: give a path, a file's bytes, a Pillow image or an array"
    )


def _encoded(image: Any) -> bytes:
    image.thumbnail((_LONGER_SIDE, _LONGER_SIDE))
    image = image if image.mode in ("RGB", "L") else image.convert("RGB")
    png = _saved(image, "PNG")
    return png if len(png) <= _MOST_BYTES else _saved(image, "JPEG", quality=92)


def _saved(image: Any, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
