"""Invoking the launcher Lambdas: build the payload, send it once, read the answer or the refusal."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from cli.aws import invoke
from cli.errors import BadArgument
from cli.target import Target

_MOST_PARTS = 8
"""Of an override's path; a recipe has four at most (tuning.ranges.learning_rate.min)."""


class BadOverride(BadArgument):
    """A --set option that is not `table.key=value`."""


@dataclass(frozen=True)
class Launched:
    """What a launcher started: the run's id and the SageMaker job's name."""

    run: str
    job: str
    what: str = ""
    """In the launcher's words; of a dry run, what would have been started."""
    most_usd: float | None = None
    """The most it can cost on AWS; None where the launcher knows no price."""
    explained: str = ""
    """For what and at which price."""
    machines: dict[str, Any] = field(default_factory=dict)
    """Of a dry run, what the run would have at a time; empty from functions deployed before they said so."""
    notes: tuple[str, ...] = ()
    """Of a dry run, what the data set's owner should know."""
    watch: dict[str, str] = field(default_factory=dict)
    """Where to watch it: `command`, `console`, `log_group`, `log`."""

    def as_planned(self, planned: Launched) -> Launched:
        """What was started, with what only its dry run tells: the machines and the notes."""
        return replace(self, machines=planned.machines, notes=planned.notes)


def full_name(target: Target, name: str) -> str:
    """The name of a run as its jobs have it: permissions are for names that begin with the project's."""
    prefix = f"{target.project}-"
    return name if name.startswith(prefix) else f"{prefix}{name}"


def payload(
    recipe: str,
    dataset: str,
    overrides: Iterable[str],
    name: str | None = None,
    max_cost_usd: float | None = None,
) -> dict[str, Any]:
    """The launchers' request; `overrides` are `table.key=value`, values written as in a recipe.

    Raises:
        BadOverride: one of them is malformed.
    """
    request: dict[str, Any] = {"recipe": recipe, "dataset": dataset}
    if name:
        request["name"] = name
    if max_cost_usd is not None:
        request["max_cost_usd"] = max_cost_usd
    for override in overrides:
        path, equals, text = override.partition("=")
        parts = [part.strip() for part in path.split(".")]
        if not equals or len(parts) < 2 or not all(parts):
            raise BadOverride(
                f"--set {override!r} is not of the form table.key=value, as in training.epochs=2."
            )
        if len(parts) > _MOST_PARTS:
            raise BadOverride(f"--set {override[:60]!r}... goes deeper than any recipe does.")
        table = request
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise BadOverride(f"--set {override!r}: {part} is set as a value already.")
        table[parts[-1]] = _value(text.strip())
    return request


def _value(text: str) -> Any:
    """A TOML value, or the text itself where quotes were left out (the shell eats them)."""
    try:
        tables = tomllib.loads(f"value = {text}")
        json.dumps(tables)
    except (ValueError, TypeError, RecursionError):
        return text
    return tables["value"] if len(tables) == 1 else text


def launch(target: Target, function: str, request: dict[str, Any], seconds: float = 180) -> Launched:
    """What a launcher started. The request is sent exactly once: repeated it would be a second run."""
    answer = invoke(target, function, request, seconds)
    cost = answer.get("cost", {})
    return Launched(
        run=answer["run"],
        job=answer.get("tuning_job") or answer["training_job"],
        what=answer.get("started") or answer.get("would_start", ""),
        most_usd=cost.get("most_usd"),
        explained=cost.get("explained", ""),
        machines=answer.get("machines", {}),
        notes=tuple(answer.get("notes", ())),
        watch=answer.get("watch", {}),
    )


def estimate(target: Target, function: str, request: dict[str, Any], seconds: float = 180) -> Launched:
    """What a request would start and the most it could cost; nothing is started."""
    return launch(target, function, {**request, "dry_run": True}, seconds)
