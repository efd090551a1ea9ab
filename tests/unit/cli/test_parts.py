"""Any part of a name does that only one thing has, in every command that takes a name."""

from __future__ import annotations

import pytest

from cli import parts
from cli.errors import Ambiguous

NAMES = ["digits", "digits-large", "birds"]


@pytest.mark.parametrize(
    ("part", "name"), [("digits", "digits"), ("large", "digits-large"), ("bir", "birds"), ("cats", "")]
)
def test_a_whole_name_goes_before_a_part_and_a_part_is_of_one(part: str, name: str) -> None:
    assert parts.one(part, NAMES, "data sets") == name


def test_a_part_of_several_lists_them_and_not_all_of_very_many() -> None:
    with pytest.raises(Ambiguous, match=r"'dig' is in the names of 2 data sets(.|\n)*  digits-large"):
        parts.one("dig", NAMES, "data sets")
    with pytest.raises(Ambiguous, match="  run-9\n  and 20 more"):
        parts.one("run", [f"run-{number}" for number in range(30)], "runs")


def test_a_part_of_none_is_answered_with_the_nearest_and_what_there_is() -> None:
    told = parts.none("brids", NAMES, "data sets")
    assert 'Did you mean "birds"?' in told
    assert "There are: digits, digits-large, birds." in told
    assert "There are no data sets yet." in parts.none("brids", [], "data sets")


def test_a_name_without_what_all_begin_with_is_a_whole_one() -> None:
    runs = ["classifier-first-again", "classifier-first"]
    assert parts.one("first", runs, "runs", "classifier-") == "classifier-first"
    with pytest.raises(Ambiguous):
        parts.one("fir", runs, "runs", "classifier-")


@pytest.mark.parametrize("typed", ["frist", "digist"])
def test_the_nearest_is_found_by_what_is_typed_of_a_name(typed: str) -> None:
    near = {"frist": "first", "digist": "digits"}[typed]
    told = parts.none(typed, ["classifier-digits-0a1b2c3d", "classifier-first"], "runs")
    assert f'Did you mean "{near}"?' in told
