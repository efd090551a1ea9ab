"""How the benchmark of explanations knows where a digit is, and whether a place of a map lies on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import explain


def test_a_place_lies_on_the_digit_if_its_middle_does() -> None:
    edge = (explain.SIDE - explain.SEEN) / 2 / explain.SIDE
    told = {"map": np.zeros((7, 7)).tolist(), "box": [edge, edge, 1 - edge, 1 - edge]}
    # Of places of 32 pixels from 16 on, the middles are at 32, 64, 96 and so on.
    assert np.argwhere(explain.hits(told, (50, 20, 100, 70))).tolist() == [[0, 1], [0, 2], [1, 1], [1, 2]]
    assert not explain.hits(told, (34, 34, 62, 62)).any()
    whole = {"map": [[0.0, 0.0]], "box": [0.0, 0.0, 1.0, 1.0]}
    assert explain.hits(whole, (150, 0, 256, 256)).tolist() == [[False, True]]


def test_the_digit_is_where_it_is_said_to_be_and_is_seen_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain, "COUNTS", {"train": 10, "valid": 2, "test": 40})
    boxes = explain.drawn(tmp_path, 0)
    assert len(boxes) == 40
    margin = (explain.SIDE - explain.SEEN) // 2
    on, off = [], []
    for name, (left, top, right, bottom) in boxes.items():
        assert margin <= min(left, top) < max(right, bottom) <= explain.SIDE - margin
        grey = np.asarray(Image.open(tmp_path / "test" / name).convert("L"), float)
        middle = grey[(top + bottom) // 2 - 20 : (top + bottom) // 2 + 20, (left + right) // 2 - 12 :][:, :24]
        on.append(np.abs(middle - 128).max())
        off.append(np.abs(np.delete(grey, np.s_[top:bottom], 0) - 128).max())
    assert np.median(on) > np.median(off) + 10, "ink stands out from the ground"
