"""What a picture looks like, in numbers that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from contract.answers.appearance import NUMBERS, Appearance, described

SIDES = (2, 17, 32, 224)


@pytest.mark.parametrize("side", SIDES)
def test_pictures_of_every_side_have_numbers(side: int) -> None:
    random = np.random.default_rng(0)
    found = described(random.integers(0, 256, (side, side, 3), np.uint8))
    assert found.shape == (NUMBERS,)
    assert np.isfinite(found).all()


def test_a_plain_picture_is_its_colour_and_one_shade_without_detail() -> None:
    found = described(np.full((64, 64, 3), (255, 51, 0), np.uint8))
    assert found[:3] == pytest.approx([1, 0.2, 0])
    assert found[3:12] == pytest.approx(np.log(0.01), abs=1e-5)
    assert found[12:] == pytest.approx(np.eye(8)[int(102 / 255 * 8)])


def test_detail_is_told_by_its_size_and_direction() -> None:
    fine = np.zeros((64, 64, 3), np.uint8)
    fine[:, ::2] = 255
    lying = np.ascontiguousarray(fine.transpose(1, 0, 2))
    wide = np.zeros((64, 64, 3), np.uint8)
    wide[:, np.arange(64) // 4 % 2 == 0] = 255
    of_fine, of_lying, of_wide = (described(each)[8:12] for each in (fine, lying, wide))
    one, none = np.log(1.01), np.log(0.01)
    assert of_fine == pytest.approx([one, none, none, none], abs=1e-4)
    assert of_lying[:2] == pytest.approx([none, one], abs=1e-4)
    assert of_wide[0] < of_fine[0]
    assert of_wide[2] == pytest.approx(one, abs=1e-4)


def test_grey_pictures_have_no_colour_and_coloured_ones_do() -> None:
    random = np.random.default_rng(1)
    grey = np.repeat(random.integers(0, 256, (64, 64, 1), np.uint8), 3, 2)
    assert described(grey)[6:8] == pytest.approx(np.log(0.01), abs=0.03)
    assert described(random.integers(0, 256, (64, 64, 3), np.uint8))[6:8].min() > np.log(0.2)


def test_alpha_is_not_looked_at() -> None:
    picture = np.random.default_rng(2).integers(0, 256, (40, 40, 4), np.uint8)
    assert described(picture) == pytest.approx(described(picture[..., :3]), abs=1e-5)


def test_within_the_reach_nothing_is_beyond_it() -> None:
    looks = Appearance(np.zeros(NUMBERS, np.float32), np.eye(NUMBERS, dtype=np.float32), 2.0)
    places = np.outer([0, 2, 6], np.eye(NUMBERS)[3]).astype(np.float32)
    assert looks.beyond(places).tolist() == [0, 0, 2]
