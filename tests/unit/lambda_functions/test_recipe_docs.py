"""The pages tell of every key and of every recipe there is."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from contract.hyperparameters import Hyperparameters
from functions.common.recipes.keys import TABLES

ROOT = Path(__file__).parents[3]
PAGES = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("recipes.md", "recipe-keys.md")]
TOLD = set(re.findall(r"`([a-z0-9_-]+)`", "".join(PAGES)))


@pytest.mark.parametrize("table", sorted(set(TABLES) - {"final"}))
def test_every_key_is_told_of(table: str) -> None:
    assert set(TABLES[table]) <= TOLD


def test_every_recipe_is_told_of() -> None:
    assert {path.stem for path in (ROOT / "recipes").glob("*.toml")} <= TOLD


OF_OTHER_TABLES = {
    *("answer_precision", "profile", "profile_steps"),
    *("debug_every", "debug_parameters", "debug_rules", "debug_save"),
}
"""Hyperparameters that recipes have by other names, in [answer], [debug] and [profile]."""
OF_LAUNCHERS = {"dataset", "dataset_version", "feature_cache", "hourly_usd", "run"}


def test_a_recipe_can_say_whatever_a_training_job_can_be_told() -> None:
    told = {each.name for each in dataclasses.fields(Hyperparameters)} - OF_OTHER_TABLES - OF_LAUNCHERS
    assert told <= {key for table in TABLES.values() for key in table}
