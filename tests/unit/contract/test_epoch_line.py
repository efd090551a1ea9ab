"""The line of an epoch: written and read in one form, and no other line is taken for it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import epoch_line


def test_an_epoch_s_line_is_parsed_and_others_are_not() -> None:
    assert epoch_line.read("epoch=3 train_loss=0.5 valid_accuracy=9.7e-01") == {
        "epoch": 3.0,
        "train_loss": 0.5,
        "valid_accuracy": 0.97,
    }
    assert epoch_line.read("test_loss=0.1 test_accuracy=0.9") is None
    assert epoch_line.read("epoch=3") is None


@pytest.mark.parametrize(
    "line",
    [
        "champion_test_loss=0.02 champion_test_accuracy=0.99 (of the same pictures)",
        "warning: epoch=3 train_loss=0.5 was not finite",
        "best_epoch=3 train_loss=0.5",
        "epoch=3 train_loss=0.5 and more words",
        "the best is epoch=3 train_loss=0.5",
        "epoch=3 train_loss=0.5, valid_loss=0.4",
        "epoch=x train_loss=0.5",
    ],
)
def test_no_other_line_is_taken_for_an_epoch_s(line: str) -> None:
    assert epoch_line.read(line) is None


def test_the_line_that_a_training_prints_is_an_epoch_s() -> None:
    numbers = {"epoch": 3, "train_loss": 0.5, "valid_loss": math.nan, "valid_accuracy": 0.97}
    line = epoch_line.write(numbers | {"seconds": 1.23, "images_per_second": 834.1})
    assert line == "epoch=3 train_loss=0.500000 valid_loss=nan valid_accuracy=0.970000 (1.2 s, 834 images/s)"
    found = epoch_line.read(line)
    assert found is not None
    assert list(found) == ["epoch", "train_loss", "valid_loss", "valid_accuracy"]


@given(st.integers(0, 10**6), st.floats(allow_nan=True))
def test_any_number_python_prints_is_read_back(epoch: int, loss: float) -> None:
    parsed = epoch_line.read(f"epoch={epoch} train_loss={loss}")
    assert parsed is not None
    assert parsed["epoch"] == epoch
    assert parsed["train_loss"] == loss or math.isnan(loss)


@given(st.text(max_size=80))
def test_no_line_breaks_the_parser(line: str) -> None:
    epoch_line.read(line)
