"""Small pictures for pages, as addresses that hold them."""

from __future__ import annotations

import base64
import io

from PIL import Image

from contract.pictures import file


def data_address(content: bytes, side: int) -> str:
    """A picture's file as a JPEG of at most `side` pixels, in a data address.

    Raises:
        UndecodablePicture: it cannot be decoded.
    """
    small = file.decode(content, enough=side)
    small.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=72, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
