"""A report.json from elsewhere is drawn as text, or refused: no word of it becomes markup."""

from __future__ import annotations

import copy
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.ended import comparison, jobs
from tests.unit.markup import Skeleton
from tests.unit.reports.reported import full, leaves, put, with_strings

PAYLOAD = "\"'></title></style></svg><script>alert(1)</script><img src=x onerror=alert(1)><!--{{7*7}}"
PAYLOADS = (PAYLOAD, "javascript:alert(1)", "1;background:url(//x)", "0' onload='alert(1)")


def hostile(record: dict[str, Any]) -> list[str]:
    """Pages made of it."""
    pages = []
    for records in ([record], [record, full()]):
        with suppress(jobs.NoReport):
            pages.append(jobs.render(records))
    return pages


CLEAN = [
    Skeleton(text) for text in (jobs.render([full()]), comparison.render([full(), full() | {"job": "b"}]))
]
SHAPES = set().union(*(each.shapes for each in CLEAN)) | set().union(
    *(
        Skeleton(text).shapes
        for text in (
            jobs.render([full() | {"confused": []}]),
            jobs.render([{"job": "j", "classes": [], "failure": "It ended."}]),
            comparison.render([full(), full() | {"hyperparameters": {}, "seconds": 9.0}]),
        )
    )
)


def check(text: str) -> None:
    found = Skeleton(text)
    assert found.shapes <= SHAPES
    assert not found.harmful


def test_the_clean_page_has_every_section_and_passes_the_same_check() -> None:
    text = jobs.render([full()])
    for title in ("Quality gate", "What to change", "Learning curves", "Where the time went", "Utilisation"):
        assert f"<h2>{title}" in text
    for title in (
        "Rules",
        "Gradient and weight flow",
        "Where it errs",
        "By class",
        "Data",
        "Hyperparameters",
    ):
        assert f"<h2>{title}" in text
    check(text)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_with_every_string_replaced_the_page_shows_them_as_text(payload: str) -> None:
    record = with_strings(full(), payload)
    record["classes"] = [payload, payload + "2"]
    pages = hostile(record)
    assert len(pages) == 2
    for text in pages:
        check(text)
        assert payload in Skeleton(text).text


@pytest.mark.parametrize("way", leaves(full()), ids=lambda way: ".".join(map(str, way)))
def test_no_single_field_becomes_markup(way: tuple[Any, ...]) -> None:
    for payload in (*PAYLOADS[:2], [PAYLOAD], {PAYLOAD: PAYLOAD}):
        record = copy.deepcopy(full())
        put(record, way, payload)
        for text in hostile(record):
            check(text)


@pytest.mark.parametrize("table", ["hyperparameters", "versions", "data", "evaluations"])
def test_no_key_becomes_markup(table: str) -> None:
    record = full()
    record[table] = {**record[table], PAYLOAD: next(iter(record[table].values()))}
    for text in hostile(record):
        check(text)
    assert hostile(record)


@pytest.mark.parametrize("kind", ["pictures", "maps"])
def test_pictures_are_jpegs_in_the_page_and_never_addresses(kind: str) -> None:
    record = full()
    good = record["confused"][0]["pictures"][0]
    record["confused"][0][kind] = [
        "https://example.com/x.jpg",
        "javascript:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "data:image/svg+xml;base64,PHN2Zz4=",
        f"{good}\n",
        good,
    ]
    sources = {value for name, value in Skeleton(jobs.render([record])).values if name == "src"}
    assert sources == {good}


ODD = (
    st.none()
    | st.booleans()
    | st.sampled_from([math.nan, math.inf, -1, -1.5, 0, 1e308, 10**30, -(10**30), "", "\ud800", [], {}, [[]]])
    | st.integers(-5, 5)
)


@given(st.data())
def test_any_report_is_drawn_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    record = full()
    ways = list(leaves(record))
    for _ in range(data.draw(st.integers(1, 3))):
        try:
            put(record, data.draw(st.sampled_from(ways)), data.draw(ODD))
        except (TypeError, LookupError):
            continue  # it lay in what was replaced before
    folder = tmp_path_factory.mktemp("job")
    (folder / "report.json").write_text(json.dumps(record))
    for count in (1, 2):
        with suppress(jobs.NoReport):
            jobs.render([jobs.read(folder / "report.json", folder)] * count)


@pytest.mark.parametrize("text", ["", "null", "[]", "[" * 100_000, "{", "9" * 5000, '{"job": 1e999}', "\xff"])
def test_what_is_no_report_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(text, encoding="latin-1")
    with pytest.raises(jobs.NoReport, match=r"^these reports cannot be drawn.*\)$"):
        jobs.render([jobs.read(tmp_path / "report.json", tmp_path)])
