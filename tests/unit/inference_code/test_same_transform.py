"""Serving sees a picture exactly as training's evaluation saw it, though each room has its own transform."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from contract.pictures.file import decode
from inference_code import picture as serving
from tests.unit.inference_code.pictures import encoded, scene, sound_pictures
from training_code.data import pictures as training

pytestmark = pytest.mark.filterwarnings("ignore")

SOUND = sound_pictures()


def transforms(image_size: int) -> tuple[training.Transform, serving.Transform]:
    """Training's transform, and serving's made from what training writes into model.json."""
    trained = training.Transform.of_size(image_size)
    told = trained.describe()
    assert told.pop("interpolation") == "bilinear"
    return trained, serving.Transform(**told | {"mean": tuple(told["mean"]), "std": tuple(told["std"])})


@pytest.mark.parametrize("image_size", [32, 64, 224])
@pytest.mark.parametrize("name", SOUND)
def test_every_kind_of_picture_reaches_the_network_with_the_same_numbers(name: str, image_size: int) -> None:
    trained, served = transforms(image_size)
    pixels = trained.pixels(decode(SOUND[name], trained.enough)).astype(np.float32)
    mean, std = np.float32(trained.mean), np.float32(trained.std)
    expected = ((pixels / np.float32(255) - mean) / std).transpose(2, 0, 1)[None]
    seen = served.pixels(serving.read(SOUND[name]).decoded(served.enough))
    assert np.array_equal(served.normalised(seen), expected)
    assert (seen[..., 3] == 255).all(), "alpha tells the square from the padding around it"


def large(name: str) -> bytes:
    """A JPEG that is decoded smaller for a network of 224 pixels: two and a half times what it needs."""
    picture = scene((2561, 1281))
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "plain": lambda: encoded(picture, "JPEG"),
        "progressive": lambda: encoded(picture, "JPEG", progressive=True),
        "grey": lambda: encoded(picture.convert("L"), "JPEG"),
        "cmyk": lambda: encoded(picture.convert("CMYK"), "JPEG"),
        "rotated": lambda: encoded(picture, "JPEG", exif=exif),
        "mpo": lambda: encoded(picture, "MPO", save_all=True, append_images=[picture]),
    }[name]()


@pytest.mark.parametrize("name", ["plain", "progressive", "grey", "cmyk", "rotated", "mpo"])
def test_a_large_jpeg_is_decoded_smaller_in_both_rooms_alike_and_nearly_as_if_it_were_whole(
    name: str,
) -> None:
    trained, served = transforms(224)
    body = large(name)
    drafted = serving.read(body).decoded(served.enough)
    assert sorted(drafted.size) == [641, 1281]
    pixels = served.pixels(drafted)[..., :3]
    assert np.array_equal(pixels, trained.pixels(decode(body, trained.enough)))
    whole = served.pixels(serving.read(body).decoded())[..., :3]
    assert np.abs(pixels.astype(float) - whole).mean() < 0.5


@pytest.mark.parametrize(("shorter", "decoded"), [(1023, 1023), (1024, 512), (2047, 1024), (2048, 512)])
def test_a_jpeg_keeps_twice_the_pixels_that_are_needed(shorter: int, decoded: int) -> None:
    _, served = transforms(224)
    body = encoded(Image.new("RGB", (shorter + 500, shorter)), "JPEG")
    assert serving.read(body).decoded(served.enough).height == decoded


def test_a_model_from_before_there_was_this_sees_the_whole_jpeg() -> None:
    served = dataclasses.replace(transforms(224)[1], jpeg_draft=None)
    assert serving.read(large("plain")).decoded(served.enough).size == (2561, 1281)
