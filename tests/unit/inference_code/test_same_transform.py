"""Serving sees a picture exactly as training's evaluation saw it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from contract.pictures.file import decode
from contract.pictures.transform import Transform
from inference_code import picture
from inference_code.model import artifact
from tests.unit.inference_code.pictures import encoded, scene, sound_pictures
from tests.unit.training_code.samples import MACHINE
from training_code.data.batches import normalised

pytestmark = pytest.mark.filterwarnings("ignore")

SOUND = sound_pictures()


ARCHITECTURES = ("resnet18", "tf_efficientnet_lite1", "vit_base_patch32_clip_224", "vit_small_patch14_dinov2")


@pytest.mark.parametrize("image_size", [32, 64, 224])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_serving_reads_from_model_json_the_transform_that_training_wrote(arch: str, image_size: int) -> None:
    transform = Transform.of(arch, image_size)
    assert artifact._transform(json.loads(json.dumps(transform.describe()))) == transform


@pytest.mark.parametrize(
    ("arch", "image_size"), [("resnet18", 32), ("resnet18", 64), ("resnet18", 224), (ARCHITECTURES[2], 224)]
)
@pytest.mark.parametrize("name", SOUND)
def test_every_kind_of_picture_reaches_the_network_with_the_same_numbers(
    name: str, arch: str, image_size: int
) -> None:
    transform = Transform.of(arch, image_size)
    trained = transform.pixels(decode(SOUND[name], transform.enough))
    served = picture.pixels(picture.read(SOUND[name]), transform)
    expected = normalised(torch.tensor(trained)[None], transform, MACHINE)
    assert np.allclose(transform.normalised(served), expected, rtol=0, atol=1e-6)
    assert np.array_equal(served[..., :3], trained)
    assert (served[..., 3] == 255).all(), "alpha tells the square from the padding around it"


def large(name: str) -> bytes:
    """A JPEG that is decoded smaller for a network of 224 pixels: two and a half times what it needs."""
    drawn = scene((2561, 1281))
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "plain": lambda: encoded(drawn, "JPEG"),
        "progressive": lambda: encoded(drawn, "JPEG", progressive=True),
        "grey": lambda: encoded(drawn.convert("L"), "JPEG"),
        "cmyk": lambda: encoded(drawn.convert("CMYK"), "JPEG"),
        "rotated": lambda: encoded(drawn, "JPEG", exif=exif),
        "mpo": lambda: encoded(drawn, "MPO", save_all=True, append_images=[drawn]),
    }[name]()


@pytest.mark.parametrize("name", ["plain", "progressive", "grey", "cmyk", "rotated", "mpo"])
def test_a_large_jpeg_is_decoded_smaller_and_nearly_as_if_it_were_whole(name: str) -> None:
    transform, body = Transform.of_size(224), large(name)
    assert sorted(picture.read(body).decoded(transform.enough).size) == [641, 1281]
    drafted = picture.pixels(picture.read(body), transform)[..., :3]
    assert np.abs(drafted.astype(float) - transform.pixels(picture.read(body).decoded())).mean() < 0.5


@pytest.mark.parametrize(("shorter", "decoded"), [(1023, 1023), (1024, 512), (2047, 1024), (2048, 512)])
def test_a_jpeg_keeps_twice_the_pixels_that_are_needed(shorter: int, decoded: int) -> None:
    body = encoded(Image.new("RGB", (shorter + 500, shorter)), "JPEG")
    assert picture.read(body).decoded(Transform.of_size(224).enough).height == decoded


def test_a_model_from_before_there_was_this_reads_the_whole_jpeg() -> None:
    before = dataclasses.replace(Transform.of_size(224), jpeg_draft=None)
    assert picture.read(large("plain")).decoded(before.enough).size == (2561, 1281)
