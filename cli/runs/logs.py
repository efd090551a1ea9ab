"""The lines that jobs, the endpoint and the functions write, from CloudWatch Logs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cli import aws, parts
from cli.errors import BadArgument
from cli.runs.find import ENDPOINT, run_of
from cli.runs.jobs import LOG_GROUP, Kind, logged, named
from cli.target import Target
from contract import names
from contract.words import did_you_mean

_FUNCTIONS: Final = names.log_of("")
_PLATFORM: Final = re.compile(r"(START|END|REPORT) RequestId: |INIT_START ")
_SINCE: Final = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class BadSince(BadArgument):
    """A --since that is no time."""


class NoLog(BadArgument):
    """Nothing of that name writes a log."""


@dataclass(frozen=True)
class Source:
    """Where lines are: a group, and the streams of one job, or of all jobs of a run."""

    group: str
    streams: str = ""
    """What their names begin with."""
    run: str = ""
    """The run; empty of one job. Another's name may begin with this one's."""

    @property
    def of_function(self) -> bool:
        return self.group.startswith(_FUNCTIONS)


@dataclass(frozen=True)
class Line:
    """One line of a log."""

    time: datetime
    stream: str
    message: str

    @property
    def job(self) -> str:
        """The job that wrote it, of a line that one wrote."""
        return self.stream.partition("/")[0]


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

    A part of a run's name means the run, and not those of its jobs that have it too.

    Raises:
        Ambiguous: several things have the part.
        NoLog: none has it.
    """
    if name == ENDPOINT:
        return _endpoint(target)
    functions = _functions(target)
    prefix = f"{target.project}-"
    short = name.removeprefix(prefix)
    if short in functions:
        return Source(names.log_of(names.function(target.project, short)))
    jobs = named(target, Kind.TRAINING, prefix)
    if name in jobs and name != run_of(name):
        return Source(LOG_GROUP, f"{name}/")
    runs = list(dict.fromkeys(map(run_of, jobs)))
    found = parts.one(name, [*functions, *runs], "functions and runs", prefix)
    found = found or parts.one(name, jobs, "jobs", prefix)
    if not found:
        near = did_you_mean(name, [ENDPOINT, *functions, *jobs])
        raise NoLog(
            f"Nothing called {name!r} writes a log.{near} There are: {ENDPOINT}, the functions "
            f"{', '.join(functions) or '(none)'}, and the jobs of `{target.command('runs')}`."
        )
    if found in functions:
        return Source(names.log_of(names.function(target.project, found)))
    return _of_run(found, jobs) if found in runs else Source(LOG_GROUP, f"{found}/")


def _of_run(run: str, jobs: Collection[str]) -> Source:
    """A run's last training, on the newest instance type; before there is one, all its jobs."""
    last = next((job for job in (names.final_of(run), run) if job in jobs), None)
    if last is None:
        return Source(LOG_GROUP, f"{run}-", run)
    while (following := names.following(last)) in jobs:
        last = following
    return Source(LOG_GROUP, f"{last}/")


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
    try:
        for event in logged(logs, where.group, startTime=begin, **chosen):
            stream = event["logStreamName"]
            its_own = where.run in ("", run_of(stream.partition("/")[0]))
            if its_own and stream.startswith(where.streams):  # not every server honours the prefix
                yield event
    except logs.exceptions.ResourceNotFoundException:
        return  # it is made with the first line


def _functions(target: Target) -> list[str]:
    prefix = names.log_of(names.function(target.project, ""))
    return sorted(group.removeprefix(prefix) for group in _groups(target, prefix))


def _endpoint(target: Target) -> Source:
    """The endpoint's group, or that of the component behind it where it can scale to none."""
    component = f"/aws/sagemaker/InferenceComponents/{target.project}"
    found = component in _groups(target, component)
    return Source(component if found else f"/aws/sagemaker/Endpoints/{target.project}")


def _groups(target: Target, prefix: str) -> list[str]:
    found = aws.listed(target.client("logs"), "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
    return [each["logGroupName"] for each in found]
