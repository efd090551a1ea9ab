"""What a report has of labels that look wrong."""

from __future__ import annotations

from typing import Any

import pytest

from reports.training.page import render, verdict
from tests.unit.reports.reported import full


def with_labels(**changes: Any) -> dict[str, Any]:
    return full() | {"labels": full()["labels"] | changes}


def test_they_are_counted_in_the_verdict_and_named_with_their_pictures() -> None:
    page = render(full())
    assert "60 labels look wrong." in verdict(full())
    assert "<h2>60 labels look wrong</h2>" in page
    assert "<b>ant</b>, looks like <b>bee</b>" in page
    assert "<code>valid/ant/7.png</code>" in page
    assert 'alt="labelled ant"' in page
    assert "24 of 30 pictures" in page
    assert "The 1 surest of 60." in page


def test_one_is_one_and_none_is_told_as_none() -> None:
    assert "1 label looks wrong." in verdict(with_labels(count=1))
    clean = with_labels(count=0, rows=[])
    assert "wrong." not in verdict(clean)
    assert "<h2>0 labels look wrong</h2>" in render(clean)


@pytest.mark.parametrize("why", ["costs", "stopped"])
def test_a_check_that_was_left_out_says_why(why: str) -> None:
    page = render(with_labels(count=0, judged=0, rows=[], left_out=why))
    assert "The labels were not checked" in page
    assert "look wrong" not in page


def test_a_report_without_the_check_has_no_section() -> None:
    record = full()
    del record["labels"]
    assert "look wrong" not in render(record)


def test_names_are_text_and_a_picture_is_a_picture_or_left_out() -> None:
    row = full()["labels"]["rows"][0]
    hostile = row | {"file": "<script>alert(1)</script>.png", "picture": "javascript:alert(1)"}
    page = render(with_labels(rows=[hostile]))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "javascript:" not in page
