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
from training_code.config import parse
from training_code.data.augmentation import Augmentation
from training_code.data.batches import Batches
from training_code.distributed.process_group import ProcessGroup
from training_code.seeds import generator


def batches(pictures: Path, **hyperparameters: str) -> Batches:
    config = parse({"image_size": "16", "augment": "none", "batch_size": "4"} | hyperparameters)
    loaded = load(pictures, config)
    return Batches(loaded.train, loaded.transform, config, MACHINE, Augmentation.of(config, "train"))


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
    pixels = feed.split.images.pick(torch.arange(len(feed.split))).permute(0, 3, 1, 2).float()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    assert torch.equal(shown, (pixels / 255 - mean) / std)
    assert shown.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(labels, feed.split.labels)


def _striped(count: int, side: int) -> torch.Tensor:
    """Pictures whose pixel (row, column) holds both numbers."""
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return torch.stack([row, column, row * 0], 2).to(torch.uint8).expand(count, side, side, 3).clone()


def _augmentation(augment: str, **hyperparameters: str) -> Augmentation:
    return Augmentation.of(parse({"augment": augment, "image_size": "8"} | hyperparameters), "train")


def _augmented(augment: str, count: int) -> torch.Tensor:
    """Striped pictures as a network of 8 pixels sees them."""
    augmentation = _augmentation(augment)
    return augmentation.apply(_striped(count, 8 + augmentation.spare), augmentation.draw(count, generator(0)))


@pytest.mark.parametrize("augment", ["flip", "crop-flip"])
def test_about_half_the_pictures_are_mirrored_left_to_right_and_none_upside_down(augment: str) -> None:
    squares = _augmented(augment, 400)
    assert 140 < int((squares[:, 0, 0, 1] > squares[:, 0, 7, 1]).sum()) < 260
    assert (squares[:, 0, 0, 0] < squares[:, 7, 0, 0]).all()


def test_nothing_is_varied_unless_asked_for() -> None:
    assert torch.equal(_augmented("none", 50), _striped(50, 8))


def test_crops_begin_at_every_place_there_is_and_keep_pixels_together() -> None:
    squares = _augmented("crop", 400)
    corners = Counter((int(each[0, 0, 0]), int(each[0, 0, 1])) for each in squares)
    assert set(corners) == {(top, left) for top in range(3) for left in range(3)}
    assert ((squares[:, 7, 7].int() - squares[:, 0, 0].int())[:, :2] == 7).all()


def test_few_places_lie_far_apart_and_the_first_is_the_middle() -> None:
    augmentation = _augmentation("crop-flip", image_size="224", crop_places="5")
    corners = [augmentation.corner(place) for place in range(5)]
    assert augmentation.count == 10
    assert corners[0] == (16, 16)
    assert all(0 <= each <= 32 for corner in corners for each in corner)
    assert min(abs(a - c) + abs(b - d) for a, b in corners for c, d in corners if (a, b) != (c, d)) > 8
    assert _augmentation("crop", crop_places="60").count == 9, "no more places than there are"


def test_chance_depends_on_seed_epoch_and_step_alone(pictures: Path) -> None:
    feed = batches(pictures, augment="crop-flip")
    first = feed.training(3, 1)[0]
    feed.training(1, 0)
    assert torch.equal(first, feed.training(3, 1)[0])
    assert not torch.equal(first, feed.training(3, 2)[0])
    assert not torch.equal(first, batches(pictures, augment="crop-flip", seed="1").training(3, 1)[0])


def test_a_picture_is_varied_differently_in_every_epoch(pictures: Path) -> None:
    feed = batches(pictures, augment="crop-flip")
    drawn = [feed.augmentation.draw(4, generator(0, "augment", epoch, 0)) for epoch in range(1, 5)]
    assert not all(torch.equal(drawn[0], other) for other in drawn[1:])


def test_the_processes_of_a_world_share_each_step_among_them(pictures: Path) -> None:
    whole = batches(pictures, augment="crop-flip")
    parts = [dataclasses.replace(whole, group=ProcessGroup(rank, 2)) for rank in (0, 1)]
    assert whole.steps == parts[0].steps
    for step in range(whole.steps):
        shown = torch.cat([part.training(1, step)[0] for part in parts])
        assert torch.equal(shown, whole.training(1, step)[0])
        assert all(len(part.training(1, step)[1]) >= 2 for part in parts)
    labels = torch.cat([each for part in parts for _, each in part.evaluation()])
    assert torch.equal(labels, whole.split.labels)
