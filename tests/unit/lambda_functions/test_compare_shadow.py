"""compare-shadow: answers to the same requests side by side, latency and errors, and what follows of them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.response import StreamingBody

from contract.candidates import Candidate
from contract.decisions import Outcome, Reason
from functions.common import candidate
from functions.compare_shadow.handler import handler
from reports.ended.gate import gate
from tests.unit.lambda_functions.fakes import NOW, Context, Fake, World, package_arn

CHAMPION, CANDIDATE = package_arn(3), package_arn(4)
PARAMETER = "/demo/candidate"
JOB = "demo-x-final"


class FakeCloudWatch(Fake):
    """What each variant was asked: requests, refused, failed, and microseconds of all together."""

    service = "cloudwatch"

    def __init__(self) -> None:
        super().__init__()
        self.counted = {"main": (100, 5, 5, 1_000_000.0), "shadow": (100, 5, 5, 1_200_000.0)}
        self.on = {"GetMetricStatistics": self._statistics}

    def _statistics(self, params: dict[str, Any]) -> dict[str, Any]:
        dimensions = {each["Name"]: each["Value"] for each in params["Dimensions"]}
        assert dimensions["EndpointName"] == "demo"
        points = (params["EndTime"] - params["StartTime"]).total_seconds() / params["Period"]
        assert points <= 1440, "AWS gives no more at once"
        requests, refused, failed, micros = self.counted[dimensions["VariantName"]]
        values = {
            "Invocations": requests,
            "Invocation4XXErrors": refused,
            "InvocationModelErrors": failed,
            "ModelLatency": micros,
        }
        value = values[params["MetricName"]]
        halves = [{"Sum": value / 2, "SampleCount": requests / 2, "Timestamp": NOW} for _ in (0, 1)]
        return {"Label": params["MetricName"], "Datapoints": halves if requests else []}


class FakeLambda(Fake):
    service = "lambda"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"Invoke": self._invoke}

    def _invoke(self, params: dict[str, Any]) -> dict[str, Any]:
        assert params["FunctionName"] == "demo-promote-model"
        body = b'{"statusCode": 200}'
        return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body))}

    @property
    def asked(self) -> list[dict[str, str]]:
        return [json.loads(params["Payload"]) for params in self.called("Invoke")]


@pytest.fixture
def shadowing(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Version 4 is compared with version 3, since an hour ago."""
    monkeypatch.setenv("CANDIDATE_PARAMETER", PARAMETER)
    world.ssm._put({"Name": "/demo/champion", "Value": CHAMPION, "Overwrite": True})
    begun(world, timedelta(hours=1))
    world.sagemaker.packages[CANDIDATE] = {
        "ModelPackageArn": CANDIDATE,
        "CustomerMetadataProperties": {"training_job": JOB},
        "CreationTime": NOW,
    }
    world.s3.put("artifacts", f"runs/{JOB}/verdict.json", json.dumps({"passed": True, "outcome": "passed"}))
    world.others |= {"cloudwatch": FakeCloudWatch(), "lambda": FakeLambda()}
    return world


def begun(world: World, ago: timedelta) -> None:
    text = Candidate(0, CANDIDATE, "2026-11-20T12:00:00Z", reason=Reason(Outcome.APPROVED)).text()
    world.ssm.history[PARAMETER] = [
        {"Value": "none", "Version": 1, "LastModifiedDate": NOW},
        {
            "Value": CANDIDATE,
            "Version": 2,
            "Description": text,
            "LastModifiedDate": datetime.now(UTC) - ago,
        },
    ]


def answered(
    world: World,
    variant: str,
    version: int,
    classes: dict[str, str],
    ago: timedelta = timedelta(minutes=5),
) -> None:
    """Captured answers of a variant by the requests' ids."""
    time = datetime.now(UTC) - ago
    lines = []
    for name, predicted in classes.items():
        answer = {"predicted_class": predicted, "model": {"version": str(version)}}
        output = {"data": json.dumps(answer), "encoding": "JSON"}
        metadata = {"inferenceTime": f"{time:%Y-%m-%dT%H:%M:%SZ}", "inferenceId": name}
        lines.append(json.dumps({"captureData": {"endpointOutput": output}, "eventMetadata": metadata}))
    key = f"captured/demo/{variant}/{time:%Y/%m/%d/%H}/{len(world.s3.objects)}.jsonl"
    world.s3.put("artifacts", key, "\n".join([*lines, "no JSON", "[]", "{}"]))


def requests(count: int, predicted: Callable[[int], str] = lambda _: "a") -> dict[str, str]:
    return {f"id-{number}": predicted(number) for number in range(count)}


def look(world: World) -> tuple[dict[str, Any], list[dict[str, str]]]:
    saw = handler({}, Context())
    promote = world.others["lambda"]
    assert isinstance(promote, FakeLambda)
    return saw, promote.asked


def both(world: World, count: int = 20, other: int = 0) -> None:
    """So many requests answered by both, some of them with another class."""
    answered(world, "main", 3, requests(count))
    answered(world, "shadow", 4, requests(count, lambda number: "b" if number < other else "a"))


def test_a_candidate_that_agrees_is_trusted_with_its_numbers(shadowing: World) -> None:
    both(shadowing, other=2)
    _, (asked,) = look(shadowing)
    why = "18 of 20 answers as the champion's; 12.0 ms against 10.0 ms; 0 errors of 100 against 0 of 100"
    assert asked == {"action": "trust", "model": CANDIDATE, "why": why}
    verdict = shadowing.s3.json("artifacts", f"runs/{JOB}/verdict.json")
    assert verdict.pop("passed") is True, "the gate's own numbers stay"
    shadow = verdict["shadow"]
    assert (shadow["champion"], shadow["compared"], shadow["agreed"], shadow["trusted"]) == (
        "3",
        20,
        18,
        True,
    )
    assert shadow["candidate_traffic"] == {"requests": 100, "errors": 0, "latency_ms": 12.0}
    assert shadow["champion_traffic"] == {"requests": 100, "errors": 0, "latency_ms": 10.0}


@pytest.mark.parametrize(
    ("counted", "other", "word"),
    [
        ((100, 5, 5, 1_000_000.0), 5, "agrees in 0.750"),
        ((100, 5, 5, 1_600_000.0), 0, "slower"),
        ((100, 5, 7, 1_000_000.0), 0, "fails more often"),
    ],
)
def test_what_speaks_against_it_is_said_and_a_person_decides(
    shadowing: World, counted: tuple[int, int, int, float], other: int, word: str
) -> None:
    cloudwatch = shadowing.others["cloudwatch"]
    assert isinstance(cloudwatch, FakeCloudWatch)
    cloudwatch.counted["shadow"] = counted
    both(shadowing, other=other)
    _, (asked,) = look(shadowing)
    assert (asked["action"], word in asked["why"]) == ("distrust", True)
    assert shadowing.s3.json("artifacts", f"runs/{JOB}/verdict.json")["shadow"]["trusted"] is False


def test_with_too_few_answers_it_goes_on_until_its_time_is_up(shadowing: World) -> None:
    both(shadowing, 19)
    saw, asked = look(shadowing)
    assert (saw, asked) == ({"saw": "19 of 20 requests answered by both"}, [])
    begun(shadowing, timedelta(hours=24))
    _, (decided,) = look(shadowing)
    assert decided["action"] == "distrust"
    assert "only 19 of 20" in decided["why"]


def test_only_answers_of_these_two_versions_to_the_same_requests_since_it_began_count(
    shadowing: World,
) -> None:
    both(shadowing, 10)
    answered(shadowing, "main", 2, requests(40))
    answered(shadowing, "shadow", 9, requests(40))
    answered(shadowing, "main", 3, {f"other-{number}": "a" for number in range(40)})
    for variant, version in (("main", 3), ("shadow", 4)):
        answered(shadowing, variant, version, {f"old-{n}": "a" for n in range(40)}, timedelta(minutes=61))
        answered(shadowing, variant, version, {"": "a"})
    assert look(shadowing)[0] == {"saw": "10 of 20 requests answered by both"}


def test_a_champion_that_slept_all_the_time_leaves_it_to_a_person(shadowing: World) -> None:
    cloudwatch = shadowing.others["cloudwatch"]
    assert isinstance(cloudwatch, FakeCloudWatch)
    cloudwatch.counted = {"main": (0, 0, 0, 0.0), "shadow": (0, 0, 0, 0.0)}
    begun(shadowing, timedelta(hours=25))
    _, (asked,) = look(shadowing)
    assert "only 0 of 20" in asked["why"]


def test_without_a_candidate_nothing_is_read_or_asked(shadowing: World) -> None:
    candidate.end(PARAMETER, candidate.current(PARAMETER), Reason(Outcome.SHADOWED))
    saw, asked = look(shadowing)
    assert (saw, asked) == ({"saw": "no model is compared"}, [])
    assert not shadowing.s3.called("ListObjectsV2")


def test_a_model_of_somebody_elses_making_is_compared_without_a_verdict(shadowing: World) -> None:
    shadowing.sagemaker.packages[CANDIDATE]["CustomerMetadataProperties"] = {}
    both(shadowing)
    assert look(shadowing)[1][0]["action"] == "trust"
    assert not shadowing.s3.called("PutObject")


def test_what_it_says_of_a_model_is_taken_by_the_registry(shadowing: World) -> None:
    both(shadowing, other=20)
    _, (asked,) = look(shadowing)
    text = Reason(Outcome.NOT_TRUSTED, asked["why"]).text()
    shadowing.sagemaker.client.update_model_package(
        ModelPackageArn=CANDIDATE, ModelApprovalStatus="PendingManualApproval", ApprovalDescription=text
    )


@pytest.mark.parametrize(
    ("other", "mark", "words"), [(0, "trusted", ""), (20, "left to a person", "It agrees in 0.000")]
)
def test_the_report_shows_the_numbers_beside_the_champions(
    shadowing: World, other: int, mark: str, words: str
) -> None:
    both(shadowing, other=other)
    look(shadowing)
    verdict = shadowing.s3.json("artifacts", f"runs/{JOB}/verdict.json")
    page = re.sub(r"<[^>]+>", " ", str(gate({"verdict": verdict, "classes": [], "evaluations": {}})))
    for each in (mark, "version 3", "12.0 ms", "10.0 ms", f"{20 - other} of 20 requests", words):
        assert each in page
    assert "copy of the traffic" not in str(gate({"verdict": {"passed": True}, "classes": []}))
