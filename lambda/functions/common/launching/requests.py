"""What a person asks a launcher for: `{"recipe", "dataset", "name"?, "<recipe table>": {overrides}}`, and
`"dry_run": true` to hear what would start and what it could cost. `"max_cost_usd"` stands for the override of
that key in [resources]. `"scheduled"` is for launch-retraining: why it asks (`contract.retraining`).

launch-training by hand also takes `"hyperparameters"`, the explicit values of that one training.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from contract import names, retraining
from functions.common.errors import InvalidPayload, listed, suggest
from functions.common.recipes.keys import TABLES, quoted

_EXAMPLE = '{"recipe": "digits", "dataset": "digits"}'


@dataclass(frozen=True)
class LaunchRequest:
    """A launcher's payload, its shape checked; what the names stand for is checked against the buckets."""

    recipe: str
    dataset: str
    dataset_version: int | None
    """None: the newest."""
    name: str | None
    overrides: Mapping[str, object]
    hyperparameters: Mapping[str, object]
    dry_run: bool = False
    """Check everything and answer as if, but start nothing."""
    scheduled: Mapping[str, float] = field(default_factory=dict)
    """The causes of a run that no person asked for."""


def parse(payload: object, *, with_hyperparameters: bool) -> LaunchRequest:
    """The request in a payload.

    Raises:
        InvalidPayload: not an object, a key nobody knows, or a value of the wrong type.
    """
    payload = checked_object(payload, _EXAMPLE)
    own = ("recipe", "dataset", "name", "max_cost_usd", "dry_run")
    check_keys(payload, (*own, "hyperparameters" if with_hyperparameters else "scheduled", *TABLES))
    hyperparameters = payload.get("hyperparameters", {})
    if not isinstance(hyperparameters, Mapping):
        raise InvalidPayload(
            f"hyperparameters = {quoted(hyperparameters)} has to be an object of names and values"
        )
    recipe = _recipe(payload)
    dataset, version = dataset_of(payload, _EXAMPLE)
    return LaunchRequest(
        recipe=recipe,
        dataset=dataset,
        dataset_version=version,
        name=optional_text(payload, "name"),
        overrides=_overrides(payload),
        hyperparameters=hyperparameters,
        dry_run=flag(payload, "dry_run"),
        scheduled=_causes(payload),
    )


def checked_object(payload: object, example: str) -> Mapping[str, object]:
    """The payload itself. Raises InvalidPayload where it is no object."""
    if not isinstance(payload, Mapping):
        raise InvalidPayload(
            f"the payload has to be a JSON object, not {quoted(payload)}; for example {example}"
        )
    return payload


def check_keys(payload: Mapping[str, object], keys: Collection[str]) -> None:
    """See that the payload has these keys only. Raises InvalidPayload, with the nearest and all there are."""
    for key in payload:
        if key not in keys:
            near = suggest(str(key), keys) or ";"
            raise InvalidPayload(
                f"the payload has the unknown key {quoted(str(key))}{near} allowed are: {listed(keys)}"
            )


def _causes(payload: Mapping[str, object]) -> dict[str, float]:
    value = payload.get("scheduled", {})
    if not isinstance(value, Mapping):
        raise InvalidPayload(f"scheduled = {quoted(value)} has to be an object of causes and numbers")
    return {str(cause): cause_of(cause, number) for cause, number in value.items()}


def cause_of(cause: object, number: object) -> float:
    """The number of a cause for a run. Raises InvalidPayload where either is none."""
    if cause not in retraining.CAUSES:
        raise InvalidPayload(f"{quoted(cause)} is no cause; there are: {listed(retraining.CAUSES)}")
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < math.inf:
        raise InvalidPayload(f"{cause} = {quoted(number)} has to be a number from 0 on")
    return number


def _overrides(payload: Mapping[str, object]) -> dict[str, object]:
    overrides = {key: payload[key] for key in TABLES if key in payload}
    if "max_cost_usd" in payload:
        resources = overrides.get("resources", {})
        if not isinstance(resources, Mapping):
            raise InvalidPayload(f"resources = {quoted(resources)} has to be an object of keys and values")
        overrides["resources"] = {**resources, "max_cost_usd": payload["max_cost_usd"]}
    return overrides


def _recipe(payload: Mapping[str, object]) -> str:
    form = "a recipe's name: letters, digits, - and _, 63 characters at most"
    return _name(payload, "recipe", names.RECIPE, form, _EXAMPLE)[0]


def dataset_of(payload: Mapping[str, object], example: str) -> tuple[str, int | None]:
    """The data set's name, and the number of its version where there is one."""
    form = (
        "a data set's name (letters, digits, -, _ and ., 63 characters at most) or NAME@NUMBER, one of its "
        "versions"
    )
    found = _name(payload, "dataset", names.DATASET_VERSION, form, example)
    return found["dataset"], int(found["number"]) if found["number"] else None


def _name(
    payload: Mapping[str, object], key: str, form: re.Pattern[str], what: str, example: str
) -> re.Match[str]:
    value = payload.get(key)
    if value is None:
        raise InvalidPayload(f'the payload lacks "{key}"; for example {example}')
    found = form.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InvalidPayload(f"{key} = {quoted(value)} is not {what}")
    return found


def optional_text(payload: Mapping[str, object], key: str) -> str | None:
    """A key's text; None without the key. Raises InvalidPayload."""
    value = payload.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidPayload(f"{key} = {quoted(value)} has to be text")
    return value


def flag(payload: Mapping[str, object], key: str) -> bool:
    """A key's flag, false without the key. Raises InvalidPayload."""
    value = payload.get(key, False)
    if not isinstance(value, bool):
        raise InvalidPayload(f"{key} = {quoted(value)} has to be true or false")
    return value
