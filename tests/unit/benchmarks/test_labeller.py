"""How the labeller benchmark judges: by paired differences, beyond chance or not."""

from __future__ import annotations

import pytest

from benchmarks.labeller import _row, _summary


def row(system: str, gains: list[float]) -> dict[str, object]:
    name, count, way = system.split()
    random = [0.5, 0.6, 0.55, 0.7, 0.65]
    accuracies = [each + gain for each, gain in zip(random, gains, strict=True)]
    return dict(_row(name, way, int(count), [0.4] * 5, accuracies, random))


def test_a_gain_has_the_bounds_of_its_pairs_and_not_of_its_parts() -> None:
    found = row("dogs 200 select", [0.02, 0.03, 0.02, 0.03, 0.025])
    assert found["gain"] == 2.5
    assert found["least"] == pytest.approx(2.5 - 2.776 * 0.5 / 5**0.5, abs=0.01)
    assert found["most"] == pytest.approx(2.5 + 2.776 * 0.5 / 5**0.5, abs=0.01)


def test_better_and_worse_are_beyond_chance_and_ours() -> None:
    better, worse, neither = [0.02] * 4 + [0.021], [-0.02] * 4 + [-0.021], [0.05, -0.05, 0.01, -0.01, 0.0]
    told = _summary(
        [
            row("dogs 200 select", better),
            row("dogs 500 select", neither),
            row("cifar10 200 select", worse),
            row("cifar10 500 certain", worse),
        ]
    )
    assert told["better_on"] == ["dogs, 200 more"]
    assert told["worse_on"] == ["cifar10, 200 more"]
    assert told["gains"] == {"dogs, 200 more": 2.02, "dogs, 500 more": 0.0, "cifar10, 200 more": -2.02}
