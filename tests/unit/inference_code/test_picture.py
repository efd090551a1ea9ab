"""Decoding: every picture is seen as a person sees it, everything else is refused with its reason."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contract.pictures import parts as image_parts
from inference_code import picture as pictures
from inference_code.api_error import ApiError
from tests.unit.inference_code.pictures import encoded, no_pictures, png_claiming, scene, sound_pictures

# Pillow warns about every damage it sees; `__main__.py` silences that.
pytestmark = pytest.mark.filterwarnings("ignore")

SOUND = sound_pictures()
NONE = no_pictures()


def close(a: Image.Image, b: Image.Image, tolerance: float = 12) -> bool:
    difference = np.abs(np.asarray(a, np.int16) - np.asarray(b, np.int16))
    return a.size == b.size and float(difference.mean()) < tolerance


@pytest.mark.parametrize("name", SOUND)
def test_every_kind_of_picture_becomes_rgb(name: str) -> None:
    assert pictures.read(SOUND[name]).decoded().mode == "RGB"


@pytest.mark.parametrize(
    "name",
    [
        "jpeg",
        "progressive jpeg",
        "cmyk jpeg",
        "png",
        "webp",
        "bmp",
        "palette bmp",
        "gif",
        "tiff",
        "cmyk tiff",
    ],
)
def test_colours_survive_decoding(name: str) -> None:
    assert close(pictures.read(SOUND[name]).decoded(), scene())


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_picture_is_refused_with_its_own_code(name: str) -> None:
    body, code = NONE[name]
    with pytest.raises(ApiError) as refused:
        pictures.read(body).decoded()
    assert (refused.value.status, refused.value.code) == (400, code)
    assert "BytesIO" not in refused.value.message


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("base64", "base64"),
        ("data uri", "data URI"),
        ("json", "JSON"),
        ("html", "HTML"),
        ("zip", "ZIP"),
        ("git lfs pointer", "git lfs pull"),
        ("png without width", "starts like a PNG"),
    ],
)
def test_a_common_mistake_is_told_by_its_name(name: str, advice: str) -> None:
    with pytest.raises(ApiError, match=advice):
        pictures.read(NONE[name][0]).decoded()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_upright(image_format: str, orientation: int) -> None:
    stored = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    lying = scene() if stored is None else scene().transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    tag = {"tiffinfo": {0x0112: orientation}} if image_format == "TIFF" else {"exif": exif}
    assert close(pictures.read(encoded(lying, image_format, **tag)).decoded(), scene())


def test_metadata_that_cannot_be_read_leaves_the_picture_as_it_is() -> None:
    assert close(pictures.read(SOUND["jpeg with broken exif"]).decoded(), scene())


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_seen_on_white(mode: str) -> None:
    black = Image.new("RGBA", (4, 2), (0, 0, 0, 255))
    black.putpixel((0, 0), (0, 0, 0, 0))
    black.putpixel((1, 0), (0, 0, 0, 128))
    seen = pictures.read(encoded(black.convert(mode), "PNG")).decoded()
    assert [seen.getpixel((x, 0))[0] for x in range(3)] == [255, 127, 0]  # type: ignore[index]


def test_the_transparent_colour_of_a_palette_is_seen_as_white() -> None:
    palette = Image.new("P", (2, 1), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((0, 0), 0)
    for image_format in ("PNG", "GIF"):
        seen = pictures.read(encoded(palette, image_format, transparency=0)).decoded()
        assert seen.getpixel((0, 0)) == (255, 255, 255)
        assert seen.getpixel((1, 0)) == (40, 50, 60)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_brightness(image_format: str) -> None:
    samples = np.array([[0, 0x7FFF, 0xFFFF]], np.uint16)
    seen = pictures.read(encoded(Image.fromarray(samples), image_format)).decoded()
    assert np.asarray(seen)[0, :, 0].tolist() == [0, 127, 255]


def test_big_endian_sixteen_bit_grey_keeps_its_brightness() -> None:
    body = bytearray(encoded(Image.frombytes("I;16B", (2, 1), b"\xff\x00\x10\xff"), "TIFF"))
    assert np.asarray(pictures.read(bytes(body)).decoded())[0, :, 0].tolist() == [255, 16]


def test_the_transparent_value_of_sixteen_bit_grey_is_seen_as_white() -> None:
    samples = Image.fromarray(np.array([[5, 6]], np.uint16))
    seen = pictures.read(encoded(samples, "PNG", transparency=5)).decoded()
    assert [seen.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 0)]


@pytest.mark.parametrize("name", ["animated gif", "animated png", "animated webp", "mpo"])
def test_of_several_frames_the_first_is_seen(name: str) -> None:
    red, green, blue = pictures.read(SOUND[name]).decoded().getpixel((30, 20))  # type: ignore[misc]
    assert blue > 200
    assert max(red, green) < 60


def test_the_pixel_limit_counts_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    body = encoded(scene((30, 10)), "PNG")
    monkeypatch.setattr(image_parts, "MAX_PIXELS", 300)
    assert pictures.read(body).decoded().size == (30, 10)
    monkeypatch.setattr(image_parts, "MAX_PIXELS", 299)
    with pytest.raises(ApiError, match="TooManyPixels"):
        pictures.read(body).decoded()


def test_a_picture_that_is_too_large_is_refused_before_its_pixels_are_touched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ApiError, match="TooManyPixels"):
        pictures.read(png_claiming(20_000, 10_000)).decoded()


def test_a_picture_cut_anywhere_is_a_refusal_or_a_picture() -> None:
    for image_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        body = encoded(scene(), image_format)
        for length in range(0, len(body), max(1, len(body) // 40)):
            _picture_or_refusal(body[:length])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_a_refusal(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        pictures.read(body).decoded()
    assert refused.value.status == 400


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]),
    st.binary(max_size=400),
)
def test_random_bytes_behind_a_real_signature_are_a_refusal_or_a_picture(
    image_format: str, tail: bytes
) -> None:
    _picture_or_refusal(encoded(scene(), image_format)[:24] + tail)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(SOUND)), st.integers(0, 2**32), st.integers(1, 20))
def test_a_damaged_picture_is_a_refusal_or_a_picture(name: str, seed: int, damages: int) -> None:
    body = bytearray(SOUND[name])
    chance = random.Random(seed)
    for _ in range(damages):
        # Headers decide the most, so half of the damage goes there.
        place = chance.randrange(min(len(body), 200) if chance.random() < 0.5 else len(body))
        body[place] = chance.randrange(256)
    _picture_or_refusal(bytes(body))


@pytest.mark.skipif("ODD_IMAGES" not in os.environ, reason="ODD_IMAGES names no folder of awkward pictures")
def test_a_folder_of_awkward_pictures_gets_pictures_or_refusals() -> None:
    paths = sorted(path for path in Path(os.environ["ODD_IMAGES"]).iterdir() if path.is_file())
    assert paths
    for path in paths:
        _picture_or_refusal(path.read_bytes())


def _picture_or_refusal(body: bytes) -> None:
    try:
        seen = pictures.read(body).decoded(64)
    except ApiError as refusal:
        answer = refusal.status.value, refusal.code
    else:
        answer = seen.mode, seen.width * seen.height <= image_parts.MAX_PIXELS
    assert answer in {
        ("RGB", True),
        (400, "EmptyBody"),
        (400, "UnsupportedImage"),
        (400, "TruncatedImage"),
        (400, "TooManyPixels"),
    }
