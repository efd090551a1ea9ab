"""What a report has of pictures that are in two splits."""

from __future__ import annotations

from typing import Any

import pytest

from reports.training.page import render, verdict
from tests.unit.reports.reported import full


def test_leaks_are_counted_in_the_verdict_and_named_with_the_data() -> None:
    words = verdict(full())
    assert "Mind: 1 test pictures are also training pictures, which flatters it" in words
    assert "Mind: 2 validation pictures are also training pictures" in words
    assert "Mind: 3 test pictures are also validation pictures." in words
    assert "<code>test/ant/copy.png</code> is <code>train/ant/1.png</code>" in render(full())


@pytest.mark.parametrize(
    "leaked", [0, {"test_in_train": 0, "pairs": [], "valid_in_train": 0, "test_in_valid": 0}]
)
def test_without_a_leak_nothing_is_to_mind(leaked: Any) -> None:
    record = full() | {"leaked": leaked}
    assert "Mind" not in verdict(record)
    assert "also training pictures" not in render(record)


def test_a_report_of_before_there_were_names_has_its_number() -> None:
    record = full() | {"leaked": 7}
    assert "Mind: 7 test pictures are also training pictures" in verdict(record)
    assert "<summary>Test pictures" not in render(record)
