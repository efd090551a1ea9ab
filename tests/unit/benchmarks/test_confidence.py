"""How the confidence benchmark measures."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.confidence import auroc
from benchmarks.confidence_networks import VALID, head
from contract.answers.appearance import NUMBERS


def test_the_area_is_the_chance_that_a_known_picture_is_above_an_unknown_one() -> None:
    assert auroc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert auroc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 0
    assert auroc(np.array([1.0, 1.0]), np.array([1.0])) == 0.5
    known, unknown = np.array([0.1, 0.5, 0.5, 0.9]), np.array([0.5, 0.2, 0.95])
    pairs = [(one > other) + (one == other) / 2 for one in known for other in unknown]
    assert auroc(known, unknown) == pytest.approx(np.mean(pairs))


def test_a_head_sees_no_picture_of_an_unknown_class_and_none_of_valid_or_test() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 60)
    features = np.tile(np.eye(4)[labels] * 5 + random.normal(size=(240, 4)), 100).astype(np.float32)
    parts = tuple(np.array_split(random.permutation(240), 3))
    looks = np.zeros((240, NUMBERS), np.float32)
    network = head(features, looks, labels, np.array([2]), parts, 0, 0.0)
    assert network.classes == 3
    assert (network.labels["references"] >= 0).all()
    assert (network.labels["test"] < 0).sum() == (labels[parts[2]] == 2).sum()
    said, truth = network.known("test")
    assert (said.scores.argmax(1) == truth).mean() > 0.9
    assert len(network.valid.scores) == len(parts[1])
    assert VALID > 49, "or no picture could be called unlike"
