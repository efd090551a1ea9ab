"""The pages tell of every key and of every recipe there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.common.recipes.keys import TABLES

ROOT = Path(__file__).parents[3]
PAGES = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("recipes.md", "recipe-keys.md")]
TOLD = set(re.findall(r"`([a-z0-9_-]+)`", "".join(PAGES)))


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"final"}))
def test_every_key_is_told_of(table: str) -> None:
    assert set(TABLES[table]) <= TOLD


def test_every_recipe_is_told_of() -> None:
    assert {path.stem for path in (ROOT / "recipes").glob("*.toml")} <= TOLD
