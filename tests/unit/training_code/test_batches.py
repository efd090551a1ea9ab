"""What the network is fed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training_code.samples import MACHINE, load
from training_code.batches import Batches, varied
from training_code.config import parse
from training_code.seeds import generator


def batches(pictures: Path, **hyperparameters: str) -> Batches:
    config = parse({"image_size": "16", "augment": "none", "batch_size": "4"} | hyperparameters)
    loaded = load(pictures, config)
    return Batches(loaded.train, loaded.transform, config, MACHINE)


def test_every_picture_comes_once_per_epoch_in_an_order_of_its_own(pictures: Path) -> None:
    feed = batches(pictures)
    every = next(feed.evaluation())[0]

    def order(epoch: int) -> list[int]:
        rows = torch.cat([feed.input(feed.training(epoch, step)[0]) for step in range(feed.steps)])
        return [int((every == row).flatten(1).all(1).nonzero()[0]) for row in rows]

    assert sorted(order(1)) == sorted(order(2)) == list(range(len(feed.split)))
    assert order(1) != order(2)
    assert order(1) == order(1)


@given(st.integers(2, 400), st.integers(2, 80))
def test_no_batch_has_a_single_picture_and_sizes_differ_by_one_at_most(count: int, batch_size: int) -> None:
    config = parse({"batch_size": str(batch_size)})
    split = dataclasses.make_dataclass("Counted", ["files"], namespace={"__len__": lambda self: self.files})(
        count
    )
    sizes = Batches(split, None, config, MACHINE).sizes  # type: ignore[arg-type]
    assert sum(sizes) == count
    assert min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= max(batch_size, 3)


def test_input_is_scaled_and_normalised_channel_by_channel(pictures: Path) -> None:
    feed = batches(pictures)
    shown, labels = next(feed.evaluation())
    pixels = feed.split.pixels[feed.split.rows].permute(0, 3, 1, 2).float()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    assert torch.equal(shown, (pixels / 255 - mean) / std)
    assert shown.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(labels, feed.split.labels)


def _striped(count: int, side: int) -> torch.Tensor:
    """Pictures whose pixel (row, column) holds both numbers."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.stack([row, column, row * 0], 2).to(torch.uint8).expand(count, side, side, 3).clone()


@pytest.mark.parametrize("augment", ["flip", "crop-flip"])
def test_about_half_the_pictures_are_mirrored_left_to_right_and_none_upside_down(augment: str) -> None:
    shown = varied(_striped(400, 8), torch.arange(400), 8, augment, generator(0))
    assert 140 < int((shown[:, 0, 0, 1] == 7).sum()) < 260
    assert (shown[:, 0, 0, 0] == 0).all()


@pytest.mark.parametrize("augment", ["none", "crop"])
def test_nothing_is_mirrored_unless_asked_for(augment: str) -> None:
    shown = varied(_striped(50, 8), torch.arange(50), 8, augment, generator(0))
    assert torch.equal(shown, _striped(50, 8))


def test_crops_begin_at_every_place_there_is_and_keep_pixels_together() -> None:
    shown = varied(_striped(400, 10), torch.arange(400), 8, "crop", generator(0))
    corners = Counter((int(each[0, 0, 0]), int(each[0, 0, 1])) for each in shown)
    assert set(corners) == {(top, left) for top in range(3) for left in range(3)}
    assert ((shown[:, 7, 7].int() - shown[:, 0, 0].int())[:, :2] == 7).all()


def test_chance_depends_on_seed_epoch_and_step_alone(pictures: Path) -> None:
    feed = batches(pictures, augment="crop-flip")
    first = feed.training(3, 1)[0]
    feed.training(1, 0)
    assert torch.equal(first, feed.training(3, 1)[0])
    assert not torch.equal(first, feed.training(3, 2)[0])
    assert not torch.equal(first, batches(pictures, augment="crop-flip", seed="1").training(3, 1)[0])


def test_a_picture_is_varied_differently_in_every_epoch(pictures: Path) -> None:
    feed = batches(pictures, augment="crop-flip")
    same = feed.split.pixels[:1].expand_as(feed.split.pixels)
    feed = dataclasses.replace(feed, split=dataclasses.replace(feed.split, pixels=same))
    epochs = [feed.training(epoch, 0)[0] for epoch in range(1, 5)]
    assert not all(torch.equal(epochs[0], other) for other in epochs[1:])
