"""The champion parameter, and its history as the log of decisions.

Each version of the SSM parameter is one decision: its value is the package that should serve, or `none`; its
description (contract/decisions.py) says since when and why. **The newest decision wins**, by the time of what
caused it, not by the time it was written. So an approval that is delivered again, or late, or beside a newer
one, changes nothing, whichever handler writes last. Remembering this on the model package instead would not
do: a change of a package's metadata sends another approval event.

A champion that sleeps is the value `none`, which takes the endpoint away, with its package in the
description. A model that waits, because something else than it failed, stands in the description beside
what is served meanwhile. `since` is when the model was chosen: sleeping and waking are no choice of a model,
so they make no approval older.
"""

from __future__ import annotations

from datetime import UTC, datetime

from contract.decisions import Decision, Reason, in_order, time_of
from contract.waiting import Waiting
from functions.common.clients import client


def now() -> str:
    """The present moment in the form of `Decision.time`."""
    return time_of(datetime.now(UTC))


def history(parameter: str) -> list[Decision]:
    """All decisions that are still known (SSM keeps a hundred), the one that counts last."""
    pages = client("ssm").get_paginator("get_parameter_history").paginate(Name=parameter)
    return in_order(Decision.of_version(entry) for page in pages for entry in page["Parameters"])


def current(parameter: str) -> Decision:
    """The decision that counts."""
    return history(parameter)[-1]


def chosen(parameter: str, model: str, time: str) -> bool:
    """Whether a decision for this model, of this second, is known."""
    return any((each.model, each.since) == (model, time) for each in history(parameter))


def settle(parameter: str) -> Decision:
    """The decision that counts, after seeing to it that its package is the parameter's value."""
    decisions = history(parameter)
    newest = decisions[-1]
    latest = max(decisions, key=lambda each: each.version)
    if (latest.package, latest.asleep) != (newest.package, newest.asleep):
        _put(parameter, newest)
    return newest


def decide(
    parameter: str,
    package: str,
    time: str,
    reason: Reason,
    *,
    asleep: str = "",
    since: str = "",
    waiting: Waiting | None = None,
    tried: tuple[str, ...] = (),
) -> Decision:
    """Write a decision; returns the one that counts then, which is another when a newer one was written.

    Two handlers may write at once; each looks at the history after its own write, so the last of them to look
    puts the newest decision on top.
    """
    _put(parameter, Decision(0, package, time, asleep, since or time, reason, waiting, tried))
    return settle(parameter)


def _put(parameter: str, decision: Decision) -> None:
    client("ssm").put_parameter(
        Name=parameter, Value=decision.package, Type="String", Overwrite=True, Description=decision.text()
    )
