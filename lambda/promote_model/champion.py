"""The champion parameter, and its history as the log of decisions.

Each version of the SSM parameter is one decision: its value is the package that should serve, its
description says since when and why (`2026-11-20T12:00:00Z approved`). **The newest decision wins**, by the
time of what caused it, not by the time it was written. So an approval that is delivered again, or late, or
beside a newer one, changes nothing, whichever handler writes last. Remembering this on the model package
instead would not do: a change of a package's metadata sends another approval event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from typing import Any

NONE = "none"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Decision:
    """One version of the parameter."""

    version: int
    package: str
    """The model package's ARN, or `none`."""
    time: str
    """When its cause happened, ISO 8601 in UTC; such texts sort as times."""


def settle(ssm: Any, parameter: str) -> Decision:
    """The decision that counts, after seeing to it that its package is the parameter's value.

    Of two decisions of one time the later written counts.
    """
    pages = ssm.get_paginator("get_parameter_history").paginate(Name=parameter)
    decisions = [_decision(entry) for page in pages for entry in page["Parameters"]]
    newest = max(decisions, key=lambda each: (each.time, each.version))
    latest = max(decisions, key=lambda each: each.version)
    if latest.package != newest.package:
        _put(ssm, parameter, newest.package, f"{newest.time} restored: newer than the one written after it")
    return newest


def decide(ssm: Any, parameter: str, package: str, time: str, why: str) -> Decision:
    """Write a decision; returns the one that counts then, which is another when a newer one was written.

    Two handlers may write at once; each looks at the history after its own write, so the last of them to look
    puts the newest decision on top.
    """
    _put(ssm, parameter, package, f"{time} {why}")
    return settle(ssm, parameter)


def _put(ssm: Any, parameter: str, package: str, description: str) -> None:
    ssm.put_parameter(
        Name=parameter, Value=package, Type="String", Overwrite=True, Description=description[:1024]
    )


def _decision(entry: dict[str, Any]) -> Decision:
    """One entry of the history. A person's own put-parameter states no time: then it counts from when it was
    written.
    """
    written = entry["LastModifiedDate"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stated = _TIME.match(entry.get("Description", ""))
    return Decision(
        version=int(entry["Version"]), package=entry["Value"], time=stated.group() if stated else written
    )
