"""check-drift: predictions as on the test split are silence, others are told of once a day."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest

from functions.check_drift.handler import handler
from functions.check_drift.psi import psi
from tests.unit.lambda_functions.fakes import NOW, Context, Fake, World, package_arn


class FakeCloudWatch(Fake):
    service = "cloudwatch"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"PutMetricData": lambda _: {}}


class FakeLambda(Fake):
    service = "lambda"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"Invoke": lambda _: {"StatusCode": 202}}


@pytest.fixture
def drifting(world: World) -> World:
    """Version 3 serves, tested on as many zeros as ones, surely."""
    arn = package_arn(3)
    facts = {"training_job": "demo-x-final", "recipe": "digits", "dataset": "digits"}
    world.sagemaker.packages[arn] = {
        "ModelPackageArn": arn,
        "ModelApprovalStatus": "Approved",
        "CustomerMetadataProperties": facts,
        "CreationTime": NOW,
    }
    world.ssm._put({"Name": "/demo/champion", "Value": arn, "Overwrite": True})
    half = [100, 100]
    test = {
        "accuracy": 1.0,
        "loss": 0.1,
        "count": 200,
        "fingerprint": "f" * 64,
        "per_class": {"count": half, "predicted": half, "right": half},
        "confidence": [0, 0, 0, 0, 0, 0, 0, 0, 20, 180],
    }
    body = json.dumps({"arch": "resnet18", "classes": ["0", "1"], "test": test})
    world.s3.put("artifacts", "runs/demo-x-final/evaluation.json", body)
    world.others |= {"cloudwatch": FakeCloudWatch(), "lambda": FakeLambda()}
    return world


def capture(
    world: World,
    labels: str,
    confidence: float = 0.97,
    version: str = "3",
    how: str = "JSON",
    unlike: bool | None = None,
) -> None:
    """Captured answers of this hour, one per label."""
    lines = []
    for label in labels:
        model = {"name": "demo", "version": version}
        said = {"predicted_class": label, "confidence": confidence, "unlike_training": unlike, "model": model}
        text = json.dumps(said)
        data = text if how == "JSON" else base64.b64encode(text.encode()).decode()
        output = {"observedContentType": "application/json", "mode": "OUTPUT", "data": data, "encoding": how}
        lines.append(json.dumps({"captureData": {"endpointOutput": output}, "eventVersion": "0"}))
    hour = datetime.now(UTC).strftime("%Y/%m/%d/%H")
    name = f"captured/demo/main/{hour}/{len(world.s3.objects)}.jsonl"
    world.s3.put("artifacts", name, "\n".join(["not json", *lines, "{}"]))


@pytest.mark.parametrize("how", ["JSON", "BASE64"])
def test_what_looks_like_the_test_split_is_silence_and_a_metric(drifting: World, how: str) -> None:
    capture(drifting, "01" * 45, how=how)
    capture(drifting, "01" * 5, confidence=0.85, how=how)
    answer = handler({}, Context())
    assert answer["predictions"] == 100
    assert max(answer["psi_classes"], answer["psi_confidence"]) < 0.25
    assert not drifting.sns.mails
    (put,) = drifting.others["cloudwatch"].called("PutMetricData")
    assert {each["MetricName"] for each in put["MetricData"]} == {"psi_classes", "psi_confidence"}


def test_other_classes_are_told_of_once_a_day_with_the_command_to_go_on(drifting: World) -> None:
    capture(drifting, "0" * 95 + "1" * 5)
    assert handler({}, Context())["psi_classes"] > 0.25
    handler({}, Context())
    (mail,) = drifting.sns.mails
    assert "psi_classes" in mail["Message"]
    assert "demo-launch-tuning" in mail["Message"]
    assert not drifting.others["lambda"].called("Invoke")


def test_less_sure_answers_are_drift_too(drifting: World) -> None:
    capture(drifting, "01" * 50, confidence=0.55)
    answer = handler({}, Context())
    assert answer["psi_classes"] < 0.1 < 0.25 < answer["psi_confidence"]


@pytest.mark.parametrize(("unlike", "told"), [(3, False), (30, True)])
def test_pictures_unlike_training_are_drift_where_the_test_split_had_few(
    drifting: World, unlike: int, told: bool
) -> None:
    key = "runs/demo-x-final/evaluation.json"
    body = drifting.s3.json("artifacts", key)
    test = {"count": 200, "certain": 150, "certain_right": 148, "unlike": 4, "after": {"ece": 0.02}}
    body["calibration"] = {"precision": 0.95, "sha256": "", "forms": {"openvino": {"test": test}}}
    drifting.s3.put("artifacts", key, json.dumps(body))
    capture(drifting, "01" * 5, confidence=0.85, unlike=False)
    capture(drifting, "01" * ((90 - unlike) // 2) + "0" * (unlike % 2), unlike=False)
    capture(drifting, "01" * (unlike // 2) + "1" * (unlike % 2), unlike=True)
    answer = handler({}, Context())
    assert (answer["psi_unlike"] > 0.25) == told
    assert bool(drifting.sns.mails) == told
    if told:
        assert "Unlike training's: 30 of 100 pictures." in drifting.sns.mails[0]["Message"]


def test_by_setting_a_new_search_is_asked_for_whenever_it_is_told_of(
    drifting: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAIN_FUNCTION", "demo-launch-retraining")
    capture(drifting, "0" * 100)
    found = handler({}, Context())
    handler({}, Context())
    (call,) = drifting.others["lambda"].called("Invoke")
    assert (call["FunctionName"], call["InvocationType"]) == ("demo-launch-retraining", "Event")
    assert json.loads(call["Payload"]) == {"drift": found["psi_classes"]}
    (mail,) = drifting.sns.mails
    assert "demo-launch-tuning" not in mail["Message"]


def test_answers_of_another_version_and_too_few_say_nothing(drifting: World) -> None:
    capture(drifting, "0" * 100, version="2")
    capture(drifting, "0" * 49)
    assert "49 predictions" in handler({}, Context())["saw"]
    assert not drifting.sns.mails


def test_without_a_champion_there_is_nothing_to_compare_with(world: World) -> None:
    world.others |= {"cloudwatch": FakeCloudWatch(), "lambda": FakeLambda()}
    assert "no champion" in handler({}, Context())["saw"]


def test_the_index_is_zero_for_the_same_shares_and_grows_with_the_distance() -> None:
    assert psi([50, 50], [500, 500]) == pytest.approx(0, abs=1e-6)
    assert psi([50, 50], [60, 40]) < psi([50, 50], [80, 20]) < psi([50, 50], [100, 0])
