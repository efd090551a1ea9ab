"""A batch's page shows what its summary says, and no word of it becomes markup."""

from __future__ import annotations

from typing import Any

from contract.batch import Summary, together
from reports.batch.page import render
from tests.unit.markup import Skeleton
from tests.unit.reports.test_hostile_report import PAYLOAD


def summary(text: str = "x", **more: Any) -> Summary:
    best = [{"class": text, "confidence": 0.5}, {"class": "other", "confidence": 0.4}]
    sample = {"key": text, "confidence": 0.5, "predictions": best, "thumbnail": "data:image/jpeg;base64,AAAA"}
    return Summary(
        source=f"s3://data/{text}",
        model={"name": text, "version": "3"},
        pictures=7,
        classes={text: 4, "other": 2},
        refused={text: 1},
        least_certain=[sample],
        most_unlike=[sample | {"thumbnail": text}],
        refusals=[{"key": text, "code": text, "message": text}],
        seconds=2.0,
        **more,
    )


def test_the_page_counts_and_shows() -> None:
    page = render(summary(certain=5, uncertain=1, kept=2))
    for words in (
        "Of 7 pictures 6 have an answer, and 1 a reason why not.",
        "2 of them by earlier runs",
        "83.3% of the answers",
        "Unlike training",
        "Without an answer",
        "version 3",
        "66.7%",
        'src="data:image/jpeg;base64,AAAA"',
        "no picture",
    ):
        assert words in page, words
    assert "share 2 of 3" in render(summary(), 1, 3)


def test_no_word_becomes_markup() -> None:
    clean, found = (Skeleton(render(summary(text))) for text in ("x", PAYLOAD))
    assert found.shapes <= clean.shapes
    assert not found.harmful


def test_a_page_of_nothing_but_answers_has_no_empty_section() -> None:
    page = render(Summary(source="s3://data/x/", model={}, pictures=1, classes={"ant": 1}))
    assert "All 1 pictures have an answer." in page
    assert "Without an answer</h2>" not in page
    assert "Unlike training</h2>" not in page


def test_shares_add_up() -> None:
    whole = together([summary(certain=1), summary(certain=2, kept=3)])
    assert (whole.pictures, whole.certain, whole.kept, whole.classes) == (14, 3, 3, {"x": 8, "other": 4})
    assert whole.refused == {"x": 2}
    assert len(whole.least_certain) == 2
