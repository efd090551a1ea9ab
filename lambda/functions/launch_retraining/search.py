"""Asking launch-tuning for a search: what it could cost, and to start it."""

from __future__ import annotations

from typing import Any

from contract.environment import RetrainEnvironment
from functions.common import asking, storage
from functions.common.clients import client
from functions.common.errors import JobExists, UserError
from functions.common.launching.costs import CostTooHigh
from functions.launch_retraining.book import Entry


class Refused(UserError):
    """What launch-tuning said no to, by its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self._code = code

    @property
    def code(self) -> str:
        return self._code


def most_usd(entry: Entry, left: float, env: RetrainEnvironment) -> float:
    """The most that a search can cost, which is at most what is left; nothing is started.

    Raises:
        JobExists: it was started before.
        UserError: it cannot be started, or could cost more than is left or its recipe allows.
    """
    if left <= 0:
        raise CostTooHigh("nothing is left of this month's budget")
    recipe = storage.read_recipe(client("s3"), env.artifacts_bucket, entry.recipe)
    most = min(left, recipe.table("resources").get("max_cost_usd", left))
    answer = _asked({**request(entry), "max_cost_usd": most, "dry_run": True}, env)
    return float(answer["cost"]["most_usd"])


def start(entry: Entry, env: RetrainEnvironment) -> None:
    """Start a search, at most at its price.

    Raises:
        JobExists: it was started before.
        UserError: it cannot be started; nothing was.
    """
    _asked({**request(entry), "name": entry.run, "max_cost_usd": entry.most_usd}, env)


def request(entry: Entry) -> dict[str, Any]:
    """What launch-tuning is asked for, but for name and cost."""
    return {"recipe": entry.recipe, "dataset": entry.dataset, "scheduled": dict(entry.scheduled)}


def _asked(payload: dict[str, Any], env: RetrainEnvironment) -> dict[str, Any]:
    answer: dict[str, Any] = asking.ask(env.launch_function, payload)
    if "error" not in answer:
        return answer
    code, message = answer["error"]["code"], answer["error"]["message"]
    raise JobExists(message) if code == JobExists.__name__ else Refused(code, message)
