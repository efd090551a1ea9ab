"""What is drawn of a training picture: crops of random size, an operation, a rectangle painted over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.unit.training_code.samples import load
from training_code.config import parse
from training_code.data import trivial
from training_code.data.augmentation import Augmentation
from training_code.seeds import generator

SIDE = 64


def augmentation(augment: str, **hyperparameters: str) -> Augmentation:
    return Augmentation.of(parse({"augment": augment, "image_size": str(SIDE)} | hyperparameters), "train")


def squares(count: int, side: int) -> Tensor:
    """The same photograph-like square many times: pixel (row, column) holds both numbers, and a third."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.stack([row, column, 255 - row], 2).to(torch.uint8).expand(count, side, side, 3).clone()


def varied(drawing: Augmentation, count: int = 200, seed: int = 0) -> Tensor:
    return drawing.apply(squares(count, SIDE + drawing.spare), drawing.draw(count, generator(seed)))


@pytest.mark.parametrize("augment", ["random-resized-crop", "trivial"])
def test_the_same_draw_gives_the_same_pictures_and_another_others(augment: str) -> None:
    drawing = augmentation(augment, random_erasing="0.5")
    first = varied(drawing)
    assert first.shape == (200, SIDE, SIDE, 3)
    assert first.dtype == torch.uint8
    assert torch.equal(first, varied(drawing))
    assert not torch.equal(first, varied(drawing, seed=1))
    assert len({each.numpy().tobytes() for each in first}) > 150


def test_crops_of_random_size_show_a_quarter_to_all_of_the_square() -> None:
    drawing = augmentation("random-resized-crop")
    shown = varied(drawing, 400).float()
    whole = SIDE + drawing.spare
    heights = (shown[:, -1, :, 0].mean(1) - shown[:, 0, :, 0].mean(1)) / whole
    widths = (shown[:, :, -1, 1].mean(1) - shown[:, :, 0, 1].mean(1)) / whole
    areas = heights * widths.abs()
    assert 0.2 < float(areas.min()) < 0.35
    assert float(areas.max()) > 0.8
    assert 100 < int((widths < 0).sum()) < 300, "about half are mirrored"
    assert (heights > 0).all()


def test_a_small_picture_is_cropped_out_of_itself(pictures: Path) -> None:
    config = parse({"augment": "random-resized-crop", "image_size": "16"})
    assert Augmentation.of(config, "train").spare == 0
    assert load(pictures, config).train.images.side == 16


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_rectangle_is_painted_over_in_the_share_asked_for(share: float) -> None:
    drawing = augmentation("none", random_erasing=str(share))
    shown = varied(drawing, 400)
    painted = (shown != squares(400, SIDE)).any(3)
    assert abs(float(painted.flatten(1).any(1).float().mean()) - share) < 0.08
    for each, pixels in zip(
        painted[painted.flatten(1).any(1)], shown[painted.flatten(1).any(1)], strict=True
    ):
        rows, columns = each.any(1).nonzero().flatten(), each.any(0).nonzero().flatten()
        inside = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert 0.01 < inside.numel() / pixels.numel() < 0.36
        assert (inside == inside[0, 0]).all(), "of one colour"


def test_every_operation_comes_and_keeps_the_size() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 200, (48, 48, 3)).astype(np.uint8))
    same = 0
    for operation in trivial._OPERATIONS:
        for strength in (-1.0, -0.5, 0.5, 1.0):
            changed = operation(picture, strength)
            assert (changed.size, changed.mode) == (picture.size, "RGB")
            same += changed.tobytes() == picture.tobytes()
    assert same == 4, "only the first leaves the picture as it is"


def test_of_few_views_each_is_always_the_same_and_the_first_is_the_plain_middle() -> None:
    drawing = augmentation("trivial", crop_places="4", random_erasing="1")
    assert drawing.count == 8
    whole = squares(8, SIDE + drawing.spare)
    views = drawing.apply(whole, torch.arange(8))
    assert torch.equal(views, drawing.apply(whole, torch.arange(8)))
    middle = slice(drawing.spare // 2, drawing.spare // 2 + SIDE)
    assert torch.equal(views[0], whole[0, middle, middle])
    assert torch.equal(views[4:], views[:4].flip(2)), "the second half is mirrored"
    assert not any(torch.equal(views[a], views[b]) for a in range(4) for b in range(a))


def test_valid_and_test_pictures_stay_as_they_are() -> None:
    config = parse({"augment": "trivial", "random_erasing": "1", "image_size": str(SIDE)})
    for split in ("valid", "test"):
        assert Augmentation.of(config, split) == Augmentation()
