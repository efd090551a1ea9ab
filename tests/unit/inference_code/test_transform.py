"""The evaluation transform: the same numbers as torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contract.pictures.transform import MAX_ELONGATION, Transform
from tests.unit.inference_code.pictures import scene

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def by_torchvision(picture: Image.Image, transform: Transform) -> np.ndarray:
    """The same recipe in torchvision's words."""
    from torchvision.transforms import functional

    exact = transform.resize_mode == "exact"
    size = [transform.resize, transform.resize] if exact else [transform.resize]
    resized = functional.resize(picture, size, functional.InterpolationMode.BILINEAR)
    cropped = functional.center_crop(resized, [transform.crop, transform.crop])
    tensor = functional.normalize(functional.to_tensor(cropped), list(MEAN), list(STD))
    return tensor.numpy()[None]  # type: ignore[no-any-return]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([(36, 32), (33, 32), (64, 64), (73, 64)]),
    st.sampled_from(["shorter", "exact"]),
)
def test_it_is_torchvisions_transform_up_to_a_rounding(
    width: int, height: int, sizes: tuple[int, int], mode: str
) -> None:
    if max(width, height) > MAX_ELONGATION * min(width, height):
        width = height
    transform = Transform(sizes[0], mode, sizes[1], MEAN, STD)  # type: ignore[arg-type]
    picture = scene((width, height))
    expected = by_torchvision(picture, transform)
    difference = np.abs(transform.normalised(transform.pixels(picture)) - expected)
    # torchvision resizes all and then crops. Resizing what the crop will show rounds otherwise now and then,
    # once across and once down.
    level = 1 / 255 / min(STD)
    assert difference.max() <= 2.001 * level
    assert difference.mean() <= 0.1 * level


def test_each_of_the_256_values_is_normalised_as_torch_does() -> None:
    picture = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGB")
    transform = Transform(16, "exact", 16, MEAN, STD)
    assert np.array_equal(transform.normalised(transform.pixels(picture)), by_torchvision(picture, transform))


@pytest.mark.parametrize("size", [(1, 100_000), (100_000, 1), (3, 90_000)])
def test_a_strip_of_any_length_is_cut_to_its_middle(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "red")
    middle = size[0] // 2, size[1] // 2
    picture.paste("lime", (middle[0] - 50, middle[1] - 50, middle[0] + 50, middle[1] + 50))
    transform = Transform(256, "shorter", 224, MEAN, STD)
    batch = transform.normalised(transform.pixels(picture))
    lime = (np.array([0, 1, 0]) - MEAN) / STD
    assert batch.shape == (1, 3, 224, 224)
    assert np.allclose(batch[0, :, 112, 112], lime, atol=1e-5)
