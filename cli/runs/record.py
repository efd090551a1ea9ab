"""What a launcher wrote of a run before its first job started: `runs/<run>/run.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cli.stacks import outputs
from cli.target import Target
from contract import objects, storage
from contract.retraining import CAUSES

_BYTES: Final = 256 * 1024


def of(target: Target, run: str) -> Mapping[str, Any]:
    """The record of a run; empty where there is nothing to read."""
    bucket = outputs(target, "storage")["ArtifactsBucket"]
    found = objects.read(target.client("s3"), bucket, storage.of_run(run, storage.RUN_RECORD), _BYTES)
    try:
        record = json.loads(found or b"{}")
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def recipe_of(record: Mapping[str, Any]) -> str:
    """The recipe's name; empty of a job of another origin."""
    return described(record)[0]


def described(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Recipe, data set and kind of a record; of one that is damaged, empty."""
    recipe = record.get("recipe")
    name = recipe.get("name", "") if isinstance(recipe, dict) else ""
    return str(name), str(record.get("dataset", "")), str(record.get("kind", ""))


def tables_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The recipe's tables as a run was given them; empty of a record that is damaged."""
    recipe = record.get("recipe")
    tables = recipe.get("tables") if isinstance(recipe, dict) else None
    return tables if isinstance(tables, dict) else {}


def scheduled_of(record: Mapping[str, Any]) -> Mapping[str, float]:
    """Why a run started by itself (`contract.retraining`); empty of one that a person started."""
    causes = record.get("scheduled")
    if not isinstance(causes, dict):
        return {}
    return {name: causes[name] for name in CAUSES if isinstance(causes.get(name), int | float)}
