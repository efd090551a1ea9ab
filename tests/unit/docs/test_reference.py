"""docs/settings.md and docs/recipe-keys.md say what the code does."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from functions.common.recipes.keys import TABLES
from stacks.settings.schema import Settings
from tools.reference import __main__ as reference
from tools.reference import recipes, settings, text

KEYS = sorted((table, key) for table, keys in TABLES.items() if table != "final" for key in keys)


def classes(kind: type[Any]) -> list[type[Any]]:
    """A class of settings and those inside it."""
    hints = [hint for hint in get_type_hints(kind).values() if is_dataclass(hint)]
    return [kind, *(each for hint in hints if isinstance(hint, type) for each in classes(hint))]


@pytest.mark.parametrize("path", reference.PAGES, ids=lambda path: path.name)
def test_the_page_is_what_make_reference_writes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == reference.PAGES[path](), "run `make reference`"


@pytest.mark.parametrize("kind", classes(Settings), ids=lambda kind: kind.__name__)
def test_every_setting_says_what_it_does(kind: type[Any]) -> None:
    names = {each.name for each in fields(kind) if "rule" in each.metadata}
    assert names - set(text.field_words(kind)) == set()


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_of_a_recipe_says_what_it_does(table: str, key: str) -> None:
    assert recipes.meaning(table, key), f"tools/reference/meanings.toml has no {key} in [{table}]"


def test_meanings_are_of_keys_that_there_are() -> None:
    tables = {name: set(words) - {"about"} for name, words in recipes.MEANINGS.items() if name != "defaults"}
    for told in (tables, {name: set(keys) for name, keys in recipes.MEANINGS["defaults"].items()}):
        assert {
            name: keys - set(TABLES[name]) for name, keys in told.items() if keys - set(TABLES[name])
        } == {}


def test_a_row_has_default_bounds_and_meaning() -> None:
    page = settings.page()
    assert (
        "| `max_instances` | `2` | a whole number of instances from 1 to 100 | Never more than these" in page
    )
    assert "| `idle_minutes` | `60` | a whole number of minutes from 0 to 10080; 0 is never |" in page
    assert "| `momentum` | `0.9` | a number from 0 to below 1 | SGD's momentum. |" in recipes.page()


def test_a_page_that_is_out_of_date_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "settings.md"
    page.write_text("old")
    monkeypatch.setattr(reference, "PAGES", {page: settings.page})
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    assert reference.main(["--check"]) == 1
    assert "make reference" in capsys.readouterr().out
    assert page.read_text() == "old"
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
