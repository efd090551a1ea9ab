"""What was spent counts every endpoint there was, and what idles is said with what watches it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cli.commands.cost import lines
from cli.cost import serving_hours
from cli.cost import spending as cost
from cli.cost.serving_hours import Events, Fleet, Period, Served, periods
from cli.cost.spending import Cost, Job, Watching
from cli.target import Target
from contract.decisions import Decision, time_of
from tests.unit.cli.conftest import client_error

GROUP = "arn:aws:sagemaker:us-east-1:000000000000:model-package/classifier"
MONTH = datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def decided(*spans: tuple[str, datetime]) -> list[Decision]:
    """A history: what was to serve (a version, or none) from when on."""
    return [
        Decision(0, "none" if value == "none" else f"{GROUP}/{value}", "", written=time_of(written))
        for value, written in spans
    ]


SLEPT = decided(
    ("none", at(2)), ("1", at(3, 8)), ("2", at(3, 9)), ("none", at(3, 12)), ("2", at(5)), ("none", at(6))
)


def test_periods_of_endpoints_that_are_gone_are_known_from_the_decisions() -> None:
    assert periods(SLEPT, Events(), None, None, NOW) == [
        Period(at(3, 8), at(3, 12)),
        Period(at(5), at(6)),
    ]


def test_the_stack_s_events_say_when_an_endpoint_really_began_and_was_gone() -> None:
    events = Events(made=(at(3, 8, 1), at(5, 0, 2)), gone=(at(3, 12, 4), at(6, 0, 3)))
    assert periods(SLEPT, events, None, None, NOW) == [
        Period(at(3, 8, 1), at(3, 12, 4)),
        Period(at(5, 0, 2), at(6, 0, 3)),
    ]


def test_the_endpoint_that_is_there_counts_from_its_beginning_to_now() -> None:
    history = [*SLEPT, *decided(("2", at(20, 10)))]
    assert periods(history, Events(), at(20, 10, 5), None, NOW)[-1] == Period(at(20, 10, 5), NOW)
    assert periods([], Events(), at(20), None, NOW) == [Period(at(20), NOW)]


def test_an_endpoint_that_could_not_be_removed_counts_on() -> None:
    assert periods(SLEPT, Events(), at(5, 0, 2), None, NOW) == [
        Period(at(3, 8), at(3, 12)),
        Period(at(5, 0, 2), NOW),
    ]


def test_an_endpoint_deleted_behind_the_stack_s_back_counts_until_it_was_last_heard_of() -> None:
    history = decided(("1", at(18)))
    assert periods(history, Events(), None, at(19), NOW) == [Period(at(18), at(19))]
    assert periods(history, Events(), None, None, NOW) == []


class Aws:
    """A project whose model served from 3 to 12 o'clock on the 3rd and sleeps now."""

    exceptions = SimpleNamespace(ParameterNotFound=KeyError, NoSuchBucket=KeyError)

    def __init__(self) -> None:
        stated = {
            "time": "2026-11-03T12:00:00Z",
            "code": "idle",
            "serves": "none",
            "asleep": f"{GROUP}/1",
            "why": "",
        }
        self.versions = [
            {"Version": 1, "Value": "none", "LastModifiedDate": at(2)},
            {"Version": 2, "Value": f"{GROUP}/1", "LastModifiedDate": at(3, 3)},
            {
                "Version": 3,
                "Value": "none",
                "LastModifiedDate": at(3, 12),
                "Description": json.dumps(stated),
            },
        ]
        self.sums = {
            "Invocations": {at(3, 4): 600.0, at(3, 5): 100.0},
            "InvocationsPerInstance": {at(3, 4): 200.0, at(3, 5): 100.0},
        }

    def get_paginator(self, name: str) -> Any:
        pages = {
            "get_parameter_history": {"Parameters": self.versions},
            "describe_stack_events": {"StackEvents": []},
            "list_training_jobs": {"TrainingJobSummaries": []},
            "list_objects_v2": {"Contents": [{"Size": 2 * 10**9}]},
            "list_stack_resources": {
                "StackResourceSummaries": [{"ResourceType": "AWS::CloudWatch::Alarm"}],
            },
        }
        return SimpleNamespace(paginate=lambda **_: [pages[name]])

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        keys = ("DataBucket", "ArtifactsBucket")
        outputs = [{"OutputKey": key, "OutputValue": key.lower()} for key in keys]
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}]}

    def get_template(self, StackName: str) -> dict[str, Any]:
        variant = {"VariantName": "main", "InstanceType": "ml.c7i.large", "InitialInstanceCount": 1}
        config = {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}}
        return {"TemplateBody": {"Resources": {"EndpointConfig": config}}}

    def get_metric_statistics(self, MetricName: str, **_: Any) -> dict[str, Any]:
        return {"Datapoints": [{"Timestamp": t, "Sum": s} for t, s in self.sums[MetricName].items()]}

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        raise client_error("ValidationException", "Could not find endpoint")


@pytest.fixture
def where(target: Callable[..., Target]) -> Target:
    aws = Aws()
    return target(**dict.fromkeys(("sagemaker", "cloudformation", "ssm", "cloudwatch", "s3"), aws))


def test_after_it_went_to_sleep_the_endpoint_s_hours_are_still_spent(where: Target) -> None:
    served = serving_hours.look(where, None, MONTH, NOW)
    assert served is not None
    assert served.periods == (Period(at(3, 3), at(3, 12)),)
    assert served.instance_hours == pytest.approx(9 + 2)  # three instances answered in one of nine hours
    assert served.usd == pytest.approx(11 * 0.1071, abs=1e-3)
    assert served.known_since == at(2)
    spent = Cost(MONTH, (), None, served, "1", 2.0)
    assert spent.spent_usd == served.usd
    text = "\n".join(lines(where, spent))
    assert "11.00 hours of ml.c7i.large for the endpoint in 1 period" in text
    assert "estimate: known since 2026-11-02 00:00 UTC" in text


def test_a_look_at_a_sleeping_project_counts_what_served_and_what_watches(
    where: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return NOW

    monkeypatch.setattr(cost, "datetime", Clock)
    look = cost.look(where)
    assert (look.endpoint, look.sleeper, look.hourly_usd) == (None, "1", 0)
    assert look.spent_usd == pytest.approx(11 * 0.1071, abs=1e-3)
    assert look.watching == Watching(alarms=4)


def test_what_served_before_the_month_is_not_of_this_month(where: Target) -> None:
    served = serving_hours.look(where, None, at(3, 10), NOW)
    assert served is not None
    assert served.periods == (Period(at(3, 10), at(3, 12)),)


def test_spent_running_and_idle_are_told_apart() -> None:
    done = Job("a", "Completed", "1 x ml.c7i.2xlarge", 1800, 0.4284, 0.2142)
    busy = Job("b", "InProgress", "1 x ml.c7i.2xlarge", 3600, 0.4284, 0.4284)
    endpoint = cost.Endpoint("ml.c7i.large", 2, at(1), 0.2142)
    served = Served(Fleet("main", "ml.c7i.large", 1), (Period(at(1), at(2)),), 20, 2.142, MONTH)
    look = Cost(MONTH, (done, busy), endpoint, served, "", 2.0)
    assert look.spent_usd == pytest.approx(0.2142 + 0.4284 + 2.142)
    assert look.hourly_usd == pytest.approx(0.4284 + 0.2142)
    asleep = Cost(look.month, (done,), None, None, "3", 2.0)
    assert (asleep.hourly_usd, asleep.spent_usd) == (0, pytest.approx(0.2142))


def test_idle_names_what_an_account_beyond_its_free_alarms_and_dashboards_pays(where: Target) -> None:
    text = "\n".join(lines(where, Cost(MONTH, (), None, None, "", 2.0, Watching(4, 1))))
    assert (
        "4 alarms and 1 dashboard are free among an account's first 10 and 3, else 3.40 USD a month" in text
    )
    assert "firewall" not in text
    text = "\n".join(lines(where, Cost(MONTH, (), None, None, "", 2.0, Watching(4, 1, 1))))
    assert "the firewall is 5.00 USD a month" in text


def test_a_job_is_billed_for_every_instance_at_the_price_it_was_started_with() -> None:
    job = {
        "TrainingJobName": "classifier-a-final",
        "TrainingJobStatus": "Completed",
        "ResourceConfig": {"InstanceType": "ml.c7i.2xlarge", "InstanceCount": 2, "VolumeSizeInGB": 0},
        "BillableTimeInSeconds": 1800,
        "TrainingStartTime": NOW - timedelta(hours=1),
    }
    assert cost.of_job(job, NOW).usd == pytest.approx(0.4284)
    assert cost.of_job(job, NOW).seconds == 3600
    job["HyperParameters"] = {"hourly_usd": "3.0"}  # [resources] usd_per_hour of the recipe, twice
    assert cost.of_job(job, NOW).usd == pytest.approx(1.5)
