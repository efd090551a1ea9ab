"""Any picture becomes the same upright RGB square; what is none is refused with a reason."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from contract.pictures.file import decode
from contract.pictures.parts import UndecodablePicture
from contract.pictures.transform import Transform
from training_code.data.decoded_images import PictureDecoder


def encoded(picture: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **options)
    return target.getvalue()


HALVES = Image.new("RGB", (64, 32), (255, 255, 255))
HALVES.paste((10, 20, 30), (0, 0, 32, 32))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGB", (10, 20, 30)),
        ("L", (18, 18, 18)),
        ("P", (10, 20, 30)),
        ("RGBA", (10, 20, 30)),
        ("1", (0, 0, 0)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, expected: tuple[int, int, int]) -> None:
    picture = HALVES.quantize(8) if mode == "P" else HALVES.convert(mode)
    result = decode(encoded(picture))
    assert result.mode == "RGB"
    assert result.getpixel((5, 5)) == expected


def test_cmyk_becomes_rgb() -> None:
    red, green, blue = np.asarray(decode(encoded(HALVES.convert("CMYK"), "JPEG")))[16, 8].tolist()
    assert abs(red - 10) + abs(green - 20) + abs(blue - 30) < 30


def test_sixteen_bits_are_scaled_to_eight_not_cut_off() -> None:
    grey = Image.fromarray(np.full((4, 4), 0x80FF, dtype=np.uint16))
    assert decode(encoded(grey)).getpixel((0, 0)) == (0x80, 0x80, 0x80)


def test_what_is_see_through_is_laid_on_white() -> None:
    assert decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 0)))).getpixel((0, 0)) == (255, 255, 255)
    assert decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 127)))).getpixel((0, 0)) == (128, 128, 128)


def test_a_picture_taken_with_the_camera_turned_is_set_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned left: the picture has to be turned right
    result = decode(encoded(HALVES, exif=exif))
    assert result.size == (32, 64)
    assert result.getpixel((16, 5)) == (10, 20, 30)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no format"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (encoded(HALVES)[:90], "truncated|no format"),
        (encoded(Image.new("F", (4, 4)), "TIFF"), "32-bit"),
        (encoded(Image.new("1", (20_000, 5_000))), "more than"),
        (encoded(HALVES, "ICO"), "no format"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(UndecodablePicture, match=reason) as refusal:
        decode(content)
    assert "BytesIO" not in str(refusal.value)  # an address in memory would differ from run to run


@given(st.binary(max_size=400), st.integers(0, 300))
def test_damaged_bytes_never_raise_anything_else(noise: bytes, at: int) -> None:
    sound = encoded(HALVES, "JPEG")
    with contextlib.suppress(UndecodablePicture):
        decode(sound[:at] + noise + sound[at + len(noise) :])


def test_a_large_picture_keeps_its_proportions_and_its_centre() -> None:
    transform = Transform.of_size(224)
    assert (transform.resize, transform.resize_mode, transform.crop) == (256, "shorter", 224)
    square = transform.pixels(HALVES)
    assert square.shape == (224, 224, 3)
    assert (square[:, 0] == (10, 20, 30)).all()
    assert (square[:, -1] == 255).all()


def test_a_small_input_shows_the_whole_picture() -> None:
    transform = Transform.of_size(32)
    assert transform.describe()["resize_mode"] == "exact"
    edge = Image.new("RGB", (100, 100), (0, 0, 0))
    edge.paste((255, 255, 255), (0, 0, 100, 4))
    assert transform.pixels(edge)[0].min() > 200


@pytest.mark.parametrize(("size", "side"), [(32, 40), (224, 256)])
def test_training_cuts_from_a_larger_square_whose_centre_is_the_evaluation_square(
    size: int, side: int
) -> None:
    transform = Transform.of_size(size)
    decoder = PictureDecoder(transform, with_margin=True)
    square, margin = decoder.decode(encoded(HALVES)), decoder.margin
    assert square.shape == (side, side, 3) == (decoder.side, decoder.side, 3)
    centre = square[margin : margin + size, margin : margin + size].astype(int)
    assert np.abs(centre - transform.pixels(HALVES)).max() <= 2


def test_a_thread_of_a_picture_takes_no_more_memory_than_its_middle() -> None:
    assert Transform.of_size(64).pixels(Image.new("RGB", (1, 60_000))).shape == (64, 64, 3)
