"""The log of a job, the endpoint or a function is found by its name and printed line by line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from cli.__main__ import cli
from cli.errors import Ambiguous
from cli.runs import logs
from cli.runs.jobs import LOG_GROUP
from cli.target import Target

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TRIAL = "001-aabbccdd"
JOBS = (
    *(f"classifier-d-1-{TRIAL}", "classifier-d-1-final", f"classifier-e-2-{TRIAL}", "classifier-e-2-race"),
    *(f"classifier-first-{TRIAL}", "classifier-first-final", "classifier-first-final-type-2"),
    *(f"classifier-e-2-again-{TRIAL}", "classifier-by-hand", "classifier-by-hand-type-2"),
)


def event(seconds: float, message: str, stream: str = "classifier-d-1-final/algo-1") -> dict[str, Any]:
    return {
        "timestamp": int((NOW + timedelta(seconds=seconds)).timestamp() * 1000),
        "logStreamName": stream,
        "message": message,
    }


class Aws:
    """CloudWatch Logs and SageMaker's jobs; `later` is what comes from one look to the next."""

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def __init__(self) -> None:
        self.groups = ["/aws/lambda/classifier-classify", "/aws/lambda/classifier-launch-tuning"]
        self.events = [event(1, "first"), event(2, "of another", "classifier-d-1-001-aabbccdd/algo-1")]
        self.asked: list[dict[str, Any]] = []

    def get_paginator(self, name: str) -> Any:
        def page(**request: Any) -> list[dict[str, Any]]:
            if name == "list_training_jobs":
                return [{"TrainingJobSummaries": [{"TrainingJobName": job} for job in JOBS]}]
            if name == "describe_log_groups":
                prefix = request["logGroupNamePrefix"]
                found = [{"logGroupName": each} for each in self.groups if each.startswith(prefix)]
                return [{"logGroups": found}]
            assert name == "filter_log_events"
            self.asked.append(request)
            if request["logGroupName"] == "/aws/sagemaker/Endpoints/classifier":
                raise KeyError
            found = [each for each in self.events if each["timestamp"] >= request["startTime"]]
            return [{"events": found}]

        return SimpleNamespace(paginate=page)


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def there(aws: Aws, target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch) -> Target:
    made = target(sagemaker=aws, logs=aws)
    monkeypatch.setattr("cli.commands.options.resolve", lambda *_, **__: made)
    return made


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("endpoint", logs.Source("/aws/sagemaker/Endpoints/classifier")),
        ("classify", logs.Source("/aws/lambda/classifier-classify")),
        ("classifier-launch-tuning", logs.Source("/aws/lambda/classifier-launch-tuning")),
        ("launch", logs.Source("/aws/lambda/classifier-launch-tuning")),
        ("classifier-d-1", logs.Source(LOG_GROUP, "classifier-d-1-final/")),
        ("classifier-d-1-001-aabbccdd", logs.Source(LOG_GROUP, "classifier-d-1-001-aabbccdd/")),
        ("d-1-final", logs.Source(LOG_GROUP, "classifier-d-1-final/")),
        ("d-1", logs.Source(LOG_GROUP, "classifier-d-1-final/")),
        ("classifier-e-2", logs.Source(LOG_GROUP, "classifier-e-2-", "classifier-e-2")),
        ("e-2", logs.Source(LOG_GROUP, "classifier-e-2-", "classifier-e-2")),
        ("first", logs.Source(LOG_GROUP, "classifier-first-final-type-2/")),
        ("first-final", logs.Source(LOG_GROUP, "classifier-first-final/")),
        ("hand", logs.Source(LOG_GROUP, "classifier-by-hand-type-2/")),
    ],
)
def test_a_log_is_found_by_any_part_of_its_name(there: Target, name: str, source: logs.Source) -> None:
    assert logs.source(there, name) == source


def test_an_endpoint_that_scales_to_none_has_the_log_of_its_component(there: Target, aws: Aws) -> None:
    aws.groups.append("/aws/sagemaker/InferenceComponents/classifier")
    assert logs.source(there, "endpoint").group == aws.groups[-1]


def test_the_log_of_a_search_is_that_of_its_own_jobs(there: Target, aws: Aws) -> None:
    for name in ("e-2-race", f"e-2-{TRIAL}", f"e-2-again-{TRIAL}"):
        aws.events.append(event(1, name, f"classifier-{name}/algo-1"))
    found = list(logs.lines(there, logs.source(there, "e-2"), NOW))
    assert [line.message for line in found] == ["e-2-race", f"e-2-{TRIAL}"]


def test_each_line_of_a_search_says_whose_it_is(there: Target, aws: Aws) -> None:
    aws.events.append(event(1, "begins", f"classifier-e-2-{TRIAL}/algo-1"))
    since = ["--since", "2026-11-30T12:00+00:00"]
    said = CliRunner().invoke(cli, ["logs", "e-2", *since]).stdout
    assert f"  classifier-e-2-{TRIAL}  begins" in said
    assert "classifier" not in CliRunner().invoke(cli, ["logs", "d-1", *since]).stdout


def test_a_part_of_several_runs_lists_the_runs(there: Target) -> None:
    with pytest.raises(
        Ambiguous, match=r"2 functions and runs(.|\n)*  classifier-e-2\n  classifier-e-2-again"
    ):
        logs.source(there, "-e-")


def test_several_and_none_are_told_apart(there: Target) -> None:
    with pytest.raises(Ambiguous, match="classifier-d-1-final"):
        logs.source(there, "d-1-")
    with pytest.raises(logs.NoLog, match='Did you mean "classify"'):
        logs.source(there, "clasify")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("2d", NOW - timedelta(days=2)),
        ("2026-11-30T10:00+00:00", NOW - timedelta(hours=2)),
    ],
)
def test_since_is_an_age_or_a_time(text: str, meant: datetime) -> None:
    assert logs.since(text, NOW) == meant


@pytest.mark.parametrize("text", ["yesterday", "5", "m", "-3h"])
def test_any_other_since_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(logs.BadSince, match="30m, 2h or 1d"):
        logs.since(text, NOW)


def test_a_jobs_lines_are_its_own(there: Target, aws: Aws) -> None:
    found = list(logs.lines(there, logs.source(there, "classifier-d-1"), NOW))
    assert [line.message for line in found] == ["first"]
    assert aws.asked[0]["logStreamNamePrefix"] == "classifier-d-1-final/"


def test_following_prints_each_line_once(there: Target, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    later = [event(3, "second"), event(1, "late, of another second")]

    def wait(seconds: float) -> None:
        if not later:
            raise KeyboardInterrupt
        aws.events.append(later.pop(0))

    monkeypatch.setattr(logs.time, "sleep", wait)
    done = CliRunner().invoke(cli, ["logs", "classifier-d-1", "-f", "--since", "2026-11-30T12:00+00:00"])
    assert done.exit_code == 130
    printed = [line[21:] for line in done.stdout.splitlines()]
    assert printed == ["first", "second", "late, of another second"]


PLATFORM = (
    "START RequestId: 8f-1 Version: $LATEST",
    "END RequestId: 8f-1",
    "REPORT RequestId: 8f-1\tDuration: 3.1 ms\tMax Memory Used: 40 MB",
    "INIT_START Runtime Version: python:3.13",
    '{"time": "2026-11-30T12:00:00Z", "type": "platform.report", "record": {}}',
)


def test_what_lambda_itself_writes_is_shown_to_who_asks_for_it(there: Target, aws: Aws) -> None:
    said = ['{"level": "INFO", "message": "answered"}', "REPORT on ants"]
    for number, message in enumerate((*PLATFORM, *said), 1):
        aws.events.append({**event(number, message), "logStreamName": "2026/11/30/[1]ab"})
    line = ["logs", "classify", "--since", "2026-11-30T12:00+00:00"]
    assert [each[21:] for each in CliRunner().invoke(cli, line).stdout.splitlines()][-2:] == said
    assert "RequestId" not in CliRunner().invoke(cli, line).stdout
    shown = CliRunner().invoke(cli, [*line, "--all"]).stdout
    assert all(each in shown for each in (*PLATFORM[:2], *said))


def test_a_log_that_nobody_wrote_yet_is_no_error(there: Target) -> None:
    done = CliRunner().invoke(cli, ["logs", "endpoint"])
    assert done.exit_code == 0
    assert "/aws/sagemaker/Endpoints/classifier" in done.stdout


def test_lines_as_json(there: Target) -> None:
    done = CliRunner().invoke(cli, ["logs", "classifier-d-1", "--since", "2026-11-30T12:00+00:00", "--json"])
    data = json.loads(done.stdout)["data"]
    assert data["group"] == LOG_GROUP
    assert data["lines"] == [
        {"time": "2026-11-30T12:00:01+00:00", "stream": "classifier-d-1-final/algo-1", "message": "first"}
    ]
    assert CliRunner().invoke(cli, ["logs", "endpoint", "-f", "--json"]).exit_code == 2
