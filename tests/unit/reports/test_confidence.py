"""What a report says of the answers' confidence."""

from __future__ import annotations

from typing import Any

from reports.training.page import render, verdict
from tests.unit.reports.reported import full, kept


def promising(test: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The full record, with another result on the test split."""
    record = full()
    form = record["calibration"]["forms"]["openvino"] | {"test": test} | changes
    return record | {"calibration": record["calibration"] | {"forms": {"openvino": form}}}


def test_the_verdict_says_what_was_promised_and_what_was_kept() -> None:
    assert (
        "Of 50% of the test pictures it is certain, and right in 75.0% of those; 95% was promised."
        in verdict(full())
    )


def test_the_section_shows_both_errors_with_bounds_and_the_drawing() -> None:
    page = render(full())
    assert "<h2>Confidence</h2>" in page
    assert "0.123 (0.050 to 0.200)" in page
    assert "0.021 (0.050 to 0.200)" in page
    assert "temperature 1.37" in page
    assert "log odds then multiplied by 0.81" in page
    assert "as served: 8 pictures, 80.0% sure and 70.0% right" in page
    assert "1 of 8" in page


def test_what_cannot_be_promised_is_said() -> None:
    none = promising(kept(8, None, None, None), certain_from=None, like_from=None)
    assert "cannot be promised: the 240 validation pictures are too few" in verdict(none)
    page = render(none)
    assert "not promised" in page
    assert "not told" in page


def test_none_certain_is_not_divided_by() -> None:
    assert "None of the test pictures was answered with the certainty" in verdict(promising(kept(8, 0, 0, 0)))


def test_a_record_of_before_has_no_such_section() -> None:
    old = full()
    del old["calibration"]
    assert "<h2>Confidence</h2>" not in render(old)
    assert "promised" not in verdict(old)
    assert "<h2>Confidence</h2>" not in render(full() | {"calibration": None})
