"""What is like the training pictures, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contract.answers.appearance import described
from contract.answers.confidence import Likeness
from contract.calibration import FALSE_ALARMS
from training_code.evaluation import calibration, likeness

RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.normal(0, 1, (8, 40)) * 3
SHAPE = np.diag(np.geomspace(5, 0.1, 40))


def around(classes: list[int], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures' features: around a centre for each class, spread unevenly over the directions."""
    random = np.random.default_rng(seed)
    labels = np.repeat(classes, count)
    return (CENTRES[labels] + random.normal(size=(len(labels), 40)) @ SHAPE + 4).astype(np.float32), labels


@pytest.fixture(scope="module")
def learnt() -> Likeness:
    features, labels = around([0, 1, 2, 3, 4, 5], 100, 1)
    found = likeness.fit(features, labels, 6)
    assert found is not None
    return found


def test_pictures_of_no_class_are_told_and_those_of_one_are_not(learnt: Likeness) -> None:
    valid, known, unknown = (
        around(*each)[0]
        for each in (
            ([0, 1, 2, 3, 4, 5], 100, 2),
            ([0, 1, 2, 3, 4, 5], 100, 3),
            ([6, 7], 300, 4),
        )
    )
    edge = calibration.like_from(learnt.of(valid), FALSE_ALARMS)
    assert (learnt.of(known) < edge).mean() < 2.5 * FALSE_ALARMS
    assert (learnt.of(unknown) < edge).mean() > 0.7


def test_it_is_the_cosine_in_stretched_directions_with_the_rest_as_length() -> None:
    like = Likeness(
        centre=np.array([1, 0, 0], np.float32),
        directions=np.eye(3, 2, dtype=np.float32),
        scales=np.array([2, 0.5], np.float32),
        outside=0.25,
        means=np.array([[1, 0], [0, 1]], np.float32),
    )
    found = like.of(np.array([[4, 8, 0], [4, 8, 20]], np.float32))
    assert found == pytest.approx([6 / np.hypot(6, 4), 6 / np.sqrt(36 + 16 + 100)], abs=1e-6)


def test_it_is_between_minus_one_and_one_and_the_same_alone_as_in_a_batch(learnt: Likeness) -> None:
    features, _ = around([0, 6], 20, 5)
    together = learnt.of(features)
    assert np.abs(together).max() <= 1 + 1e-5
    alone = np.concatenate([learnt.of(each[None]) for each in features])
    assert together == pytest.approx(alone, abs=1e-5)


def test_what_lies_outside_all_training_directions_is_unlike(learnt: Likeness) -> None:
    flat = likeness.fit(np.eye(3, 50, dtype=np.float32)[[0, 1, 2] * 30], np.array([0, 1, 2] * 30), 3)
    assert flat is not None
    picture = np.eye(3, 50, dtype=np.float32)[:1].copy()
    odd = picture.copy()
    odd[0, 40] = 5
    assert flat.of(picture)[0] > 0.9 > 0.3 > flat.of(odd)[0]


def test_pictures_that_are_all_alike_teach_nothing() -> None:
    assert likeness.fit(np.ones((10, 4), np.float32), np.zeros(10, np.int64), 2) is None
    odd = np.eye(10, 4, dtype=np.float32)
    odd[3, 3] = np.inf
    with np.errstate(invalid="ignore"):
        assert likeness.fit(odd, np.zeros(10, np.int64), 2) is None


def test_a_class_without_pictures_is_never_the_nearest() -> None:
    features, labels = around([0, 1], 50, 6)
    found = likeness.fit(features, labels, 3)
    assert found is not None
    assert not found.means[2].any()


def strokes(count: int, seed: int) -> np.ndarray:
    """The looks of white strokes on black, as digits are."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        square = np.zeros((32, 32, 3), np.uint8)
        for _ in range(random.integers(2, 6)):
            top, left = random.integers(2, 26, 2)
            high, wide = random.permutation([random.integers(2, 4), random.integers(6, 16)])
            square[top : top + high, left : left + wide] = random.integers(150, 256)
        found.append(described(square))
    return np.stack(found)


def strange() -> dict[str, np.ndarray]:
    """The looks of what nobody takes for white strokes on black."""
    random, (y, x) = np.random.default_rng(3), np.mgrid[:32, :32]
    drawn = {
        "noise": random.integers(0, 256, (32, 32, 3)),
        "grey noise": random.integers(0, 256, (32, 32, 1)),
        "white": np.full((32, 32, 3), 255),
        "red": np.full((32, 32, 3), (255, 0, 0)),
        "stripes": (x // 2 % 2 * 255)[..., None],
        "checks": ((x // 4 + y // 4) % 2 * 255)[..., None],
        "ramp": (x * 8)[..., None],
        "black on white": 255 - np.pad(np.full((6, 12), 255), 10)[: 32 - 6, :32][..., None],
    }
    return {
        name: described(np.broadcast_to(each, (*each.shape[:2], 3)).astype(np.uint8))
        for name, each in drawn.items()
    }


def test_what_looks_like_no_training_picture_is_unlike_whatever_the_network_makes_of_it() -> None:
    features, labels = around([0, 1, 2], 200, 1)
    found = likeness.fit(features, labels, 3, strokes(600, 1))
    assert found is not None
    valid, alike = around([0, 1, 2], 200, 2)[0], around([0, 1, 2], 200, 3)[0]
    edge = calibration.like_from(found.of(valid, strokes(600, 2)), FALSE_ALARMS)
    assert edge is not None
    assert (found.of(alike, strokes(600, 3)) < edge).mean() < 2.5 * FALSE_ALARMS
    taken_for_one = CENTRES[:1].astype(np.float32) + 4
    assert found.of(taken_for_one)[0] > edge
    missed = [name for name, look in strange().items() if found.of(taken_for_one, look[None])[0] >= edge]
    assert missed == []


def test_training_pictures_that_all_look_the_same_leave_room_around_them() -> None:
    features, labels = around([0, 1], 50, 1)
    found = likeness.fit(features, labels, 2, np.repeat(strokes(1, 1), 100, 0))
    assert found is not None
    assert found.appearance is not None
    assert not found.appearance.beyond(strokes(1, 1) + 0.01).any()


def test_it_is_read_as_it_was_written(learnt: Likeness, tmp_path: Path) -> None:
    learnt.write(tmp_path / "likeness.npz")
    features, _ = around([0, 6], 20, 7)
    assert (Likeness.read(tmp_path / "likeness.npz", 6).of(features) == learnt.of(features)).all()
    labels = np.arange(60) % 6
    looking = likeness.fit(learnt.of(features)[:, None] + np.eye(40)[:, :60], labels[:40], 6, strokes(30, 1))
    assert looking is not None
    looking.write(tmp_path / "looking.npz")
    again = Likeness.read(tmp_path / "looking.npz", 6).appearance
    assert again is not None
    assert looking.appearance is not None
    assert (
        again.beyond(np.stack([*strange().values()]))
        == looking.appearance.beyond(np.stack([*strange().values()]))
    ).all()
    with pytest.raises(ValueError, match="7 classes"):
        Likeness.read(tmp_path / "likeness.npz", 7)
    for content in (b"", b"PK\x03\x04nothing", np.array([{}], dtype=object).dumps()):
        (tmp_path / "likeness.npz").write_bytes(content)
        with pytest.raises(ValueError, match="no file of likeness"):
            Likeness.read(tmp_path / "likeness.npz", 6)
