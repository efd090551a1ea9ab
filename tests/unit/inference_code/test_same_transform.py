"""Serving sees a picture exactly as training's evaluation saw it, though the two rooms share no code."""

from __future__ import annotations

import numpy as np
import picture as serving
import pytest

from tests.unit.inference_code.pictures import no_pictures, sound_pictures
from training_code import pictures as training

pytestmark = pytest.mark.filterwarnings("ignore")

SOUND = sound_pictures()
NONE = {name: body for name, (body, _) in no_pictures().items()}
# Serving guards a running server against these; training only meets files that its owner uploaded.
STRICTER = {"jpeg with a thousand scans", "tiff with a huge tile"}


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
    pixels = trained.pixels(training.decode(SOUND[name])).astype(np.float32)
    mean, std = np.float32(trained.mean), np.float32(trained.std)
    expected = ((pixels / np.float32(255) - mean) / std).transpose(2, 0, 1)[None]
    assert np.array_equal(served.normalised(served.pixels(serving.decode(SOUND[name], 40_000_000))), expected)


@pytest.mark.parametrize("name", sorted(NONE.keys() - STRICTER))
def test_what_serving_refuses_training_refuses(name: str) -> None:
    with pytest.raises(serving.Refusal):
        serving.decode(NONE[name], 40_000_000)
    with pytest.raises(training.UndecodablePicture):
        training.decode(NONE[name])
