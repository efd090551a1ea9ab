"""The lines that jobs, the endpoint and the functions write, from CloudWatch Logs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cli import aws, parts
from cli.errors import BadArgument
from cli.runs.find import ENDPOINT
from cli.runs.jobs import LOG_GROUP, Kind, named
from cli.target import Target
from contract import names
from contract.words import did_you_mean

_FUNCTIONS: Final = "/aws/lambda/"
_PLATFORM: Final = re.compile(r"(START|END|REPORT) RequestId: |INIT_START ")
_SINCE: Final = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class BadSince(BadArgument):
    """A --since that is no time."""


class NoLog(BadArgument):
    """Nothing of that name writes a log."""


@dataclass(frozen=True)
class Source:
    """Where lines are: a group, and the streams of one job."""

    group: str
    streams: str = ""

    @property
    def of_function(self) -> bool:
        return self.group.startswith(_FUNCTIONS)


@dataclass(frozen=True)
class Line:
    """One line of a log."""

    time: datetime
    stream: str
    message: str


def since(text: str, now: datetime) -> datetime:
    """The time that `30m`, `2h`, `1d` or an ISO time means. Raises BadSince."""
    if match := _SINCE.fullmatch(text):
        return now - timedelta(**{_UNITS[match["unit"]]: int(match["number"])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadSince(
            f"--since {text}: give an age like 30m, 2h or 1d, or a time like 2026-11-30T12:00."
        ) from None
    return found if found.tzinfo else found.astimezone()


def source(target: Target, name: str) -> Source:
    """Where the log of `endpoint`, a function, a job or a run is; a part of the name does.

    Raises:
        Ambiguous: several things have the part.
        NoLog: none has it.
    """
    if name == ENDPOINT:
        return _endpoint(target)
    functions = _functions(target)
    short = name.removeprefix(f"{target.project}-")
    if short in functions:
        return Source(f"{_FUNCTIONS}{names.function(target.project, short)}")
    jobs = named(target, Kind.TRAINING, f"{target.project}-")
    wanted = name if name in jobs else names.final_of(name)
    if wanted in jobs:
        return Source(LOG_GROUP, f"{wanted}/")
    if any(each.startswith(f"{name}-") for each in jobs):  # a search whose last training has not begun
        return Source(LOG_GROUP, f"{name}-")
    found = parts.one(name, [*functions, *jobs], "functions and jobs")
    if not found:
        near = did_you_mean(name, [ENDPOINT, *functions, *jobs])
        raise NoLog(
            f"Nothing called {name!r} writes a log.{near} There are: {ENDPOINT}, the functions "
            f"{', '.join(functions) or '(none)'}, and the jobs of `{target.command('runs')}`."
        )
    if found in functions:
        return Source(f"{_FUNCTIONS}{names.function(target.project, found)}")
    return Source(LOG_GROUP, f"{found}/")


def of_platform(line: str) -> bool:
    """Whether Lambda itself wrote a function's line: that a call begins or ends, its time and memory.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
    """
    if _PLATFORM.match(line):
        return True
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and str(found.get("type", "")).startswith("platform.")


def lines(
    target: Target, where: Source, start: datetime, follow: bool = False, platform: bool = False
) -> Iterator[Line]:
    """The lines since `start`.

    Args:
        follow: go on with those that come, without an end.
        platform: also those of a function that Lambda itself wrote.
    """
    logs, seen = target.client("logs"), set[str]()
    begin = int(start.timestamp() * 1000)
    while True:
        newest = begin
        for event in _events(logs, where, begin):
            key = event.get("eventId") or f"{event['timestamp']}{event['logStreamName']}{event['message']}"
            newest = max(newest, event["timestamp"])
            if key not in seen:
                seen.add(key)
                if where.of_function and not platform and of_platform(event["message"]):
                    continue
                moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                yield Line(moment, event["logStreamName"], event["message"].rstrip("\n"))
        if not follow:
            return
        # A line may come a little late, behind a newer one of another stream.
        begin = max(begin, newest - 30_000)
        time.sleep(target.poll_seconds)


def _events(logs: Any, where: Source, begin: int) -> Iterator[dict[str, Any]]:
    chosen = {"logStreamNamePrefix": where.streams} if where.streams else {}
    request = {"logGroupName": where.group, "startTime": begin, **chosen}
    try:
        for event in aws.listed(logs, "filter_log_events", "events", **request):
            if event["logStreamName"].startswith(where.streams):  # not every server honours the prefix
                yield event
    except logs.exceptions.ResourceNotFoundException:
        return  # it is made with the first line


def _functions(target: Target) -> list[str]:
    groups = _groups(target, f"{_FUNCTIONS}{target.project}-")
    return sorted(group.removeprefix(f"{_FUNCTIONS}{target.project}-") for group in groups)


def _endpoint(target: Target) -> Source:
    """The endpoint's group, or that of the component behind it where it can scale to none."""
    component = f"/aws/sagemaker/InferenceComponents/{target.project}"
    found = component in _groups(target, component)
    return Source(component if found else f"/aws/sagemaker/Endpoints/{target.project}")


def _groups(target: Target, prefix: str) -> list[str]:
    found = aws.listed(target.client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
    return [each["logGroupName"] for each in found]
