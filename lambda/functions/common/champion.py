"""The champion parameter, and its history as the log of decisions.

Each version of the SSM parameter is one decision: its value is the package that should serve, or `none`; its
description (decisions.py) says since when and why. **The newest decision wins**, by the time of what caused
it, not by the time it was written. So an approval that is delivered again, or late, or beside a newer one,
changes nothing, whichever handler writes last. Remembering this on the model package instead would not do: a
change of a package's metadata sends another approval event.

A champion that sleeps is the value `none`, which takes the endpoint away, with its package in the
description. A model that waits, because something else than it failed, stands in the description beside
what is served meanwhile. `since` is when the model was chosen: sleeping and waking are no choice of a model,
so they make no approval older.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contract.names import NO_CHAMPION
from functions.common.decisions import Code, Reason, Stated, Waiting, champion_text, of_champion

NONE = NO_CHAMPION
BY_HAND = Reason(Code.BY_HAND)


@dataclass(frozen=True)
class Decision:
    """One version of the parameter."""

    version: int
    package: str
    """The model package's ARN, or `none`: the parameter's value."""
    time: str
    """When its cause happened, ISO 8601 in UTC; such texts sort as times."""
    asleep: str = ""
    """The package that sleeps and is woken by the next request; empty when none does."""
    since: str = ""
    """When this model was chosen."""
    reason: Reason = BY_HAND
    waiting: Waiting | None = None
    """An approved model that is to take this one's place, or the one here, with how often it was tried."""
    tried: tuple[str, ...] = ()
    """The instance types that AWS had none of, for this decision."""
    written: str = ""
    """When this version was written, in the form of `time`."""

    @property
    def waits(self) -> Waiting | None:
        """The approved model that waits to take this one's place."""
        return self.waiting if self.waiting is not None and self.waiting.package != self.package else None

    @property
    def model(self) -> str:
        """The champion, whether it serves or sleeps; `none` when there is none."""
        return self.asleep or self.package


def now() -> str:
    """The present moment in the form of `Decision.time`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def history(ssm: Any, parameter: str) -> list[Decision]:
    """All decisions that are still known (SSM keeps a hundred), the one that counts last.

    Of two decisions of one time the later written counts.
    """
    pages = ssm.get_paginator("get_parameter_history").paginate(Name=parameter)
    decisions = [_decision(entry) for page in pages for entry in page["Parameters"]]
    return sorted(decisions, key=lambda each: (each.time, each.version))


def current(ssm: Any, parameter: str) -> Decision:
    """The decision that counts."""
    return history(ssm, parameter)[-1]


def chosen(ssm: Any, parameter: str, model: str, time: str) -> bool:
    """Whether a decision for this model, of this second, is known."""
    return any((each.model, each.since) == (model, time) for each in history(ssm, parameter))


def settle(ssm: Any, parameter: str) -> Decision:
    """The decision that counts, after seeing to it that its package is the parameter's value."""
    decisions = history(ssm, parameter)
    newest = decisions[-1]
    latest = max(decisions, key=lambda each: each.version)
    if (latest.package, latest.asleep) != (newest.package, newest.asleep):
        _put(ssm, parameter, newest)
    return newest


def decide(
    ssm: Any,
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
    _put(ssm, parameter, Decision(0, package, time, asleep, since or time, reason, waiting, tried))
    return settle(ssm, parameter)


def _put(ssm: Any, parameter: str, decision: Decision) -> None:
    stated = Stated(
        decision.time,
        decision.package,
        decision.asleep,
        decision.since,
        decision.reason,
        decision.waiting,
        decision.tried,
    )
    ssm.put_parameter(
        Name=parameter,
        Value=decision.package,
        Type="String",
        Overwrite=True,
        Description=champion_text(stated),
    )


def _decision(entry: dict[str, Any]) -> Decision:
    """One entry of the history. A person's own put-parameter states no time, or keeps the description of the
    version before, which is of another package: then it counts from when it was written.
    """
    version, package = int(entry["Version"]), entry["Value"]
    stated = of_champion(entry.get("Description", ""))
    written = entry["LastModifiedDate"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if stated is None or (stated.serves and stated.serves != package):
        return Decision(version, package, written, since=written, written=written)
    # The form before JSON does not say of which package it is, and only `none` sleeps.
    asleep = stated.asleep if package == NONE else ""
    return Decision(
        version,
        package,
        stated.time,
        asleep,
        stated.since,
        stated.reason,
        stated.waiting,
        stated.tried,
        written,
    )
