"""The README's figures are those of the code, and its pictures are small."""

from __future__ import annotations

import re

import check
from stacks.settings.schema import Settings
from tools.pins import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_most_that_a_measured_set_costs_is_what_a_launcher_would_answer() -> None:
    rows = re.findall(r"^\|.*?\| `([\w-]+)`.*\| ([\d.]+) USD \|$", README, re.MULTILINE)
    assert rows
    for recipe, usd in rows:
        answer = check._recipe(ROOT / "recipes" / f"{recipe}.toml", Settings())
        assert f"{answer['cost']['most_usd']:.2f}" == usd, recipe


def test_it_fits_a_screen_or_two() -> None:
    assert len(README.splitlines()) < 140


def test_pictures_are_small() -> None:
    large = [path.name for path in (ROOT / "docs" / "pictures").glob("*") if path.stat().st_size > 100_000]
    assert large == []
