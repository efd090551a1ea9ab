"""Mail of launch-retraining: what was started and why, or once a month why nothing was."""

from __future__ import annotations

from contract.environment import RetrainEnvironment
from contract.names import version_of
from contract.retraining import in_words
from contract.storage import RETRAINING
from functions.common import notify
from functions.common.errors import UserError
from functions.launch_retraining.book import Book, Entry


def started(entry: Entry, written: Book, request_id: str, env: RetrainEnvironment) -> None:
    """Tell of a search that runs now."""
    if not _once(entry.run, request_id, env):
        return
    notify.send(
        env,
        f"a new search was started: {in_words(entry.scheduled)}",
        f"The search {entry.run} (recipe {entry.recipe}, data set {entry.dataset}) was started by the "
        f"settings `retrain`. Why: {in_words(entry.scheduled)}.",
        f"It can cost {entry.most_usd:.2f} USD at most. {_budget(entry, written, env)}",
        "What comes of it has to pass the quality gate, and the approval that is set, as ever.",
        f"To follow it: classifier status {entry.run}\nTo end it: classifier stop {entry.run}",
    )


def refused(error: UserError, entry: Entry, written: Book, request_id: str, env: RetrainEnvironment) -> None:
    """Tell why a search that is due was not started: of each kind of cause once a month and champion."""
    if not _once(f"{entry.month}-{version_of(entry.champion)}-{error.code}", request_id, env):
        return
    why = in_words(entry.scheduled)
    notify.send(
        env,
        f"no new search was started: {error.code}",
        f"A search of the recipe {entry.recipe} on the data set {entry.dataset} is due by the settings "
        f"`retrain`{f' ({why})' if why else ''}, but was not started: {error}.",
        f"{_budget(entry, written, env)} It is tried again by itself; of this you are told once a month.",
        "To start it all the same:\n"
        + notify.invoke_command(env.launch_function, {"recipe": entry.recipe, "dataset": entry.dataset}),
    )


def _budget(entry: Entry, written: Book, env: RetrainEnvironment) -> str:
    return (
        f"All that was started so in {entry.month} can cost {written.spent(entry.month):.2f} USD together; "
        f"retrain.max_cost_usd_month is {env.max_cost_usd_month}."
    )


def _once(what: str, request_id: str, env: RetrainEnvironment) -> bool:
    return notify.once(env.artifacts_bucket, f"{RETRAINING}/told/{what}.json", request_id)
