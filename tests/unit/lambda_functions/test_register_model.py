"""register-model: a training becomes one judged version; what an archive holds is never trusted."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tarfile
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.environment import RegisterEnvironment
from contract.evaluation import FILE, MAX_BYTES
from functions.common import archived, evaluation
from functions.common.errors import OutputInvalid
from functions.launch_training.handler import handler as launch_training
from functions.register_model import classes, gate, guessing, package
from functions.register_model.handler import handler
from functions.register_model.mcnemar import Comparison
from tests.unit.lambda_functions.conftest import ENVIRONMENT
from tests.unit.lambda_functions.fakes import NOW, Context, World, package_arn, sagemaker_event

KIND = "SageMaker Training Job State Change"


def numbers(accuracy: float = 0.97, fingerprint: str = "f" * 64, **test: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "arch": "resnet18",
        "classes": ["0", "1"],
        "image_size": 64,
        "test": {
            "accuracy": accuracy,
            "loss": 0.1,
            "count": 100,
            "fingerprint": fingerprint,
            "per_class": [
                {"class": "0", "count": 60, "recall": 0.98},
                {"class": "1", "count": 40, "recall": 0.95},
            ],
            **test,
        },
    }


def archive(files: dict[str, bytes], **more: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            for key, value in more.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def output(world: World, job: str, content: dict[str, Any]) -> None:
    body = archive({"log.txt": b"hello", "evaluation.json": json.dumps(content).encode()})
    world.s3.put("artifacts", f"jobs/{job}/output/output.tar.gz", body)


def train(world: World, request: str = "r-1", status: str = "Completed", **content: Any) -> str:
    """A training job that ended, with its evaluation in the bucket."""
    name: str = launch_training({"recipe": "digits", "dataset": "digits"}, Context(request))["training_job"]
    world.sagemaker.training_jobs[name] |= {
        "TrainingJobStatus": status,
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://artifacts/jobs/{name}/output/model.tar.gz"},
    }
    output(world, name, numbers(**content))
    world.s3.put("artifacts", f"jobs/{name}/output/model.tar.gz", b"m" * 2_000_000)
    return name


def ended(job: str, id: str = "e-1", status: str = "Completed") -> dict[str, Any]:
    return sagemaker_event(KIND, {"TrainingJobName": job, "TrainingJobStatus": status}, id=id)


def serve(world: World, accuracy: str = "0.95", fingerprint: str = "f" * 64, **metadata: str) -> str:
    """Make a package the champion; of the classes that `numbers` has."""
    arn = package_arn(1)
    world.sagemaker.packages[arn] = {
        "ModelPackageArn": arn,
        "ModelPackageGroupName": "demo",
        "ModelApprovalStatus": "Approved",
        "CreationTime": NOW,
        "CustomerMetadataProperties": {
            "test_accuracy": accuracy,
            "test_fingerprint": fingerprint,
            "classes_sha256": classes.digest(["0", "1"]),
            **metadata,
        },
    }
    world.ssm._put({"Name": "/demo/champion", "Value": arn, "Overwrite": True})
    return arn


def test_a_completed_training_becomes_one_approved_version_with_its_metrics(world: World) -> None:
    job = train(world)
    answer = handler(ended(job), Context())
    assert answer == {"model_package": package_arn(1), "approval": "Approved"}
    made = world.sagemaker.packages[package_arn(1)]
    assert made["ModelMetrics"]["ModelQuality"]["Statistics"] == {
        "ContentType": "application/json",
        "S3Uri": f"s3://artifacts/runs/{job}/evaluation.json",
    }
    assert world.s3.json("artifacts", f"runs/{job}/evaluation.json")["test"]["accuracy"] == 0.97
    metadata = made["CustomerMetadataProperties"]
    assert metadata == {
        "training_job": job,
        "run": job,
        "recipe": "digits",
        "dataset": "digits",
        "test_accuracy": "0.97",
        "test_fingerprint": "f" * 64,
        "classes_sha256": classes.digest(["0", "1"]),
        "verdict": "test accuracy 0.9700 and no champion to compare with",
        "outcome": "passed",
        "image_target": "cpu",
        "lowest_class_recall": "0.95",
        "size_mb": "2",
    }
    told = world.s3.json("artifacts", f"runs/{job}/verdict.json")
    assert (told["passed"], told["approval"], told["test_accuracy"]) == (True, "Approved", 0.97)
    container = made["InferenceSpecification"]["Containers"][0]
    assert container["ModelDataUrl"] == f"s3://artifacts/jobs/{job}/output/model.tar.gz"
    # It has to be possible to serve it on another type tomorrow.
    assert "SupportedRealtimeInferenceInstanceTypes" not in made["InferenceSpecification"]
    assert "Tags" not in made  # AWS refuses tags on a version


def test_a_duplicate_completion_event_makes_no_second_version(world: World) -> None:
    job = train(world)
    first = handler(ended(job, "e-1"), Context())
    assert handler(ended(job, "e-2"), Context()) == first
    assert len(world.sagemaker.called("CreateModelPackage")) == 1


def test_two_events_at_once_make_one_version_because_they_share_a_client_token(world: World) -> None:
    job = train(world)
    world.sagemaker.on["ListModelPackages"] = lambda _: {"ModelPackageSummaryList": []}
    handler(ended(job, "e-1"), Context())
    handler(ended(job, "e-2"), Context())
    assert len(world.sagemaker.called("CreateModelPackage")) == 2
    assert len(world.sagemaker.packages) == 1


def test_a_late_event_leaves_the_reason_of_a_release_that_was_taken_back(world: World) -> None:
    job = train(world)
    handler(ended(job, "e-1"), Context())
    taken_back = {"ModelApprovalStatus": "Rejected", "ApprovalDescription": "rolled back: no answer"}
    world.sagemaker.packages[package_arn(1)] |= taken_back
    assert handler(ended(job, "e-2"), Context())["approval"] == "Rejected"
    assert world.sagemaker.packages[package_arn(1)]["ApprovalDescription"] == "rolled back: no answer"
    assert not world.sns.mails


def test_an_event_that_comes_before_the_training_has_ended_registers_nothing(world: World) -> None:
    job = train(world, status="InProgress")
    assert "InProgress" in handler(ended(job), Context())["ignored"]
    assert not world.sagemaker.packages


def test_with_manual_approval_a_person_is_asked_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPROVAL", "manual")
    job = train(world)
    for id in ("e-1", "e-2"):
        assert handler(ended(job, id), Context())["approval"] == "PendingManualApproval"
    (mail,) = world.sns.mails
    assert "waits for your approval" in mail["Subject"]
    assert f"update-model-package --model-package-arn {package_arn(1)}" in mail["Message"]


def test_a_model_that_is_worse_than_the_champion_on_the_same_pictures_is_rejected_with_the_reason(
    world: World,
) -> None:
    serve(world, accuracy="0.98")
    job = train(world, accuracy=0.97)
    answer = handler(ended(job), Context())
    assert answer["approval"] == "Rejected"
    made = world.sagemaker.packages[answer["model_package"]]
    where = "champion version 1 on the same pictures"
    reason = f"test accuracy 0.9700 is below 0.9800 of {where} - without a paired test"
    said = json.loads(made["ApprovalDescription"])
    assert said == {"code": "below-the-gate", "why": reason}
    assert made["CustomerMetadataProperties"]["verdict"] == reason
    (mail,) = world.sns.mails
    assert reason in mail["Message"]


def test_a_model_as_good_as_the_champion_is_no_reason_to_change_unless_not_worse_is_enough(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(world, accuracy="0.970000")
    answer = handler(ended(train(world, accuracy=0.97)), Context())
    assert answer["approval"] == "Rejected"
    made = world.sagemaker.packages[answer["model_package"]]
    assert "no difference beyond chance" in made["ApprovalDescription"]
    monkeypatch.setenv("MUST_BE", "not_worse")
    again = handler(ended(train(world, request="r-2", accuracy=0.97)), Context())
    assert again["approval"] == "Approved"


def test_the_same_accuracy_again_is_the_same_whatever_its_digits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry keeps text: a rounded 266/269 would be above the number that it was made of."""
    monkeypatch.setenv("MUST_BE", "not_worse")
    first = handler(ended(train(world, accuracy=266 / 269)), Context())["model_package"]
    world.ssm._put({"Name": "/demo/champion", "Value": first, "Overwrite": True})
    again = handler(ended(train(world, request="r-2", accuracy=266 / 269)), Context())
    assert again["model_package"] != first
    assert again["approval"] == "Approved"


def scores(right: set[int], count: int = 100) -> dict[str, Any]:
    """Test numbers of a model that got the pictures `right` right, all of them of class 0 or 1 in turn."""
    labels = [row % 2 for row in range(count)]
    predicted = [label if row in right else 1 - label for row, label in enumerate(labels)]
    per_class = [{"class": str(each), "count": count // 2, "recall": 0.9} for each in (0, 1)]
    more = {"labels": labels, "predicted": predicted, "per_class": per_class, "count": count}
    return {"accuracy": len(right) / count, **more}


@pytest.mark.parametrize(
    ("candidate", "approval"),
    [
        (range(92), "Rejected"),  # 2 to 0: chance
        (range(95), "Rejected"),  # 5 to 0: p = 0.0625
        (range(96), "Approved"),  # 6 to 0: p = 0.031
        ((*range(4, 90), *range(90, 100)), "Rejected"),  # 10 to 4: better, and p = 0.18
        (range(80), "Rejected"),
    ],
)
def test_only_a_difference_beyond_chance_on_the_same_pictures_promotes(
    world: World, candidate: Any, approval: str
) -> None:
    first = handler(ended(train(world, **scores(set(range(90))))), Context())["model_package"]
    world.ssm._put({"Name": "/demo/champion", "Value": first, "Overwrite": True})
    answer = handler(ended(train(world, request="r-2", **scores(set(candidate)))), Context())
    assert answer["approval"] == approval
    made = world.sagemaker.packages[answer["model_package"]]
    assert "McNemar" in made["CustomerMetadataProperties"]["verdict"]
    assert made["CustomerMetadataProperties"]["compared_with"] == "1"
    job = made["CustomerMetadataProperties"]["training_job"]
    told = world.s3.json("artifacts", f"runs/{job}/verdict.json")["mcnemar"]
    assert (told["p"] < 0.05) == (approval == "Approved" or candidate == range(80))


def test_a_sleeping_champion_is_compared_with_like_one_that_serves(world: World) -> None:
    first = handler(ended(train(world, **scores(set(range(90))))), Context())["model_package"]
    text = f"2026-11-20T12:00:00Z asleep {first} since 2026-11-20T11:00:00Z idle"
    asleep = {"Name": "/demo/champion", "Value": "none", "Description": text, "Overwrite": True}
    world.ssm._put(asleep)
    worse = handler(ended(train(world, request="r-2", **scores(set(range(80))))), Context())
    assert worse["approval"] == "Rejected"


SLOW = {"candidates": [{"accepted": False, "milliseconds": 1}, {"accepted": True, "milliseconds": 12.5}]}


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("MIN_ACCURACY", "0.98", "below the floor of 0.9800 - gate.min_accuracy"),
        ("MIN_CLASS_RECALL", "0.96", "found in 0.9500 only: floor 0.9600 - gate.min_class_recall"),
        ("MAX_SIZE_MB", "1", "more than the ceiling of 1 MB - gate.max_size_mb"),
        ("MAX_LATENCY_MS", "12", "a picture takes 12.5 ms: ceiling 12 ms - gate.max_latency_ms"),
    ],
)
def test_floors_and_ceilings_hold_without_a_champion_too(
    world: World, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, words: str
) -> None:
    job = train(world)
    output(world, job, {**numbers(), "serving": SLOW})
    monkeypatch.setenv(setting, value)
    answer = handler(ended(job), Context())
    made = world.sagemaker.packages[answer["model_package"]]
    assert (answer["approval"], words in made["ApprovalDescription"]) == ("Rejected", True)
    assert made["CustomerMetadataProperties"]["latency_ms"] == "12.5"


@pytest.mark.parametrize("certain", [41, None])
def test_what_answers_promise_is_kept_with_the_version(world: World, certain: int | None) -> None:
    test = {"count": 100, "certain": certain, "certain_right": certain, "unlike": 2, "after": {"ece": 0.0213}}
    forms = {"pytorch": {"test": {**test, "certain": 9}}, "openvino": {"test": test}}
    job = train(world)
    output(world, job, {**numbers(), "calibration": {"precision": 0.95, "forms": forms}})
    made = world.sagemaker.packages[handler(ended(job), Context())["model_package"]]
    metadata = made["CustomerMetadataProperties"]
    assert (metadata["answer_precision"], metadata["calibration_error"]) == ("0.95", "0.0213")
    assert metadata.get("certain_share") == (None if certain is None else "0.41")


def test_a_ceiling_without_a_measurement_is_not_passed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_LATENCY_MS", "12")
    assert handler(ended(train(world)), Context())["approval"] == "Rejected"


@pytest.mark.parametrize(
    ("one", "other", "p"),
    # scipy.stats.binomtest(min, one + other, 0.5).pvalue
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 6, 0.03125),
        (4, 10, 0.179565),
        (30, 60, 0.00206027),
        (900, 1100, 8.45709e-6),
    ],
)
def test_mcnemars_p_is_the_exact_one(one: int, other: int, p: float) -> None:
    assert Comparison(one, other).p == pytest.approx(p, rel=1e-3)
    assert Comparison(other, one).p == Comparison(one, other).p


def test_a_run_that_was_stopped_registers_nothing(world: World) -> None:
    job = train(world)
    world.s3.put("artifacts", f"runs/{job}/stopped.json", "{}")
    assert "classifier stop" in handler(ended(job), Context())["ignored"]
    assert not world.sagemaker.packages


def test_other_test_pictures_are_not_compared_and_the_verdict_says_so(world: World) -> None:
    serve(world, accuracy="0.99", fingerprint="e" * 64)
    answer = handler(ended(train(world)), Context())
    made = world.sagemaker.packages[answer["model_package"]]
    assert made["ModelApprovalStatus"] == "Approved"
    assert "not compared" in made["CustomerMetadataProperties"]["verdict"]


LABELS = [0] * 60 + [1] * 40


def asked_again(world: World, right: int, job: str = "demo-old", **told: Any) -> str:
    """A candidate with 97 of 100 right, whose job asked these of a champion that was tested on others."""
    arn = serve(world, accuracy="0.99", fingerprint="e" * 64)
    world.sagemaker.packages[arn]["CustomerMetadataProperties"]["training_job"] = "demo-old"
    name = train(world)
    predicted = [1 - truth for truth in LABELS[:3]] + LABELS[3:]
    before = LABELS[:right] + [1 - truth for truth in LABELS[right:]]
    content = numbers(labels=LABELS, predicted=predicted)
    content["champion"] = {"training_job": job, **(told or {"accuracy": right / 100, "predicted": before})}
    output(world, name, content)
    arn = handler(ended(name), Context())["model_package"]
    return str(world.sagemaker.packages[arn]["CustomerMetadataProperties"]["verdict"])


def test_a_champion_tested_on_other_pictures_is_judged_by_what_it_says_of_these(world: World) -> None:
    assert "above 0.8000 of champion version 1 on the same pictures - McNemar" in asked_again(world, right=80)


def test_a_champion_that_is_as_good_on_these_pictures_stays(world: World) -> None:
    assert "no difference beyond chance - McNemar" in asked_again(world, right=97)


def test_why_a_champion_could_not_be_asked_stands_in_the_verdict(world: World) -> None:
    assert "not compared: champion version 1 tells other classes apart" in asked_again(
        world, 0, why="tells other classes apart"
    )


def test_what_a_job_found_of_a_former_champion_is_not_taken_for_the_present_one(world: World) -> None:
    assert "not compared: champion version 1 was tested on other pictures" in asked_again(
        world, 80, job="demo-older"
    )


def test_a_champion_that_was_deleted_from_the_registry_is_not_compared(world: World) -> None:
    del world.sagemaker.packages[serve(world)]
    answer = handler(ended(train(world)), Context())
    verdict = world.sagemaker.packages[answer["model_package"]]["CustomerMetadataProperties"]["verdict"]
    assert "not compared: champion version 1 has no recorded classes so a person decides" in verdict
    assert answer["approval"] == "PendingManualApproval"


def test_a_champion_without_an_accuracy_is_not_compared(world: World) -> None:
    answer = handler(ended(train(world, fingerprint="e" * 64)), Context())
    del world.sagemaker.packages[answer["model_package"]]["CustomerMetadataProperties"]["test_accuracy"]
    world.ssm._put({"Name": "/demo/champion", "Value": answer["model_package"], "Overwrite": True})
    answer = handler(ended(train(world, request="r-2")), Context())
    made = world.sagemaker.packages[answer["model_package"]]
    assert "not compared: champion version 1 has no recorded accuracy" in made["ModelPackageDescription"]
    assert answer["approval"] == "Approved"


def test_a_trial_of_a_tuning_job_is_not_registered(world: World) -> None:
    job = train(world)
    world.sagemaker.training_jobs[job]["TuningJobArn"] = "arn:aws:sagemaker:us-east-1:000000000000:x/y"
    assert "trial" in handler(ended(job), Context())["ignored"]
    assert not world.sagemaker.packages


def test_a_training_that_somebody_else_started_is_left_alone(world: World) -> None:
    world.sagemaker.training_jobs["demo-x"] = {"TrainingJobName": "demo-x", "TrainingJobStatus": "Completed"}
    assert "run.json is missing" in handler(ended("demo-x"), Context())["ignored"]


def test_a_failed_training_is_told_of_once_with_its_reason_and_the_command_to_go_on(world: World) -> None:
    job = train(world, status="Failed")
    world.sagemaker.training_jobs[job]["FailureReason"] = "AlgorithmError: out of memory"
    handler(ended(job, "e-1", "Failed"), Context())
    handler(ended(job, "e-2", "Failed"), Context())
    (mail,) = world.sns.mails
    for text in ("AlgorithmError: out of memory", "demo-launch-training", '"epochs": 8', "aws logs tail"):
        assert text in mail["Message"]
    assert not world.sagemaker.packages


def test_an_event_of_another_kind_is_ignored(world: World) -> None:
    assert "ignored" in handler({"recipe": "digits"}, Context())
    assert "ignored" in handler(sagemaker_event("Other", {}), Context())


def test_a_training_without_an_evaluation_is_a_named_failure_and_no_version(world: World) -> None:
    job = train(world)
    del world.s3.objects["artifacts", f"jobs/{job}/output/output.tar.gz"]
    with pytest.raises(OutputInvalid, match="is missing"):
        handler(ended(job), Context())
    assert not world.sagemaker.packages


def found(body: bytes, most: int = MAX_BYTES) -> bytes:
    return archived.find(io.BytesIO(body), "here", FILE, most)


@pytest.mark.parametrize("name", ["evaluation.json", "./evaluation.json"])
def test_the_evaluation_is_found_at_the_top_of_the_archive(name: str) -> None:
    assert found(archive({"a": b"1", name: b"{}"})) == b"{}"


@pytest.mark.parametrize("name", ["../evaluation.json", "/evaluation.json", "deep/evaluation.json"])
def test_a_file_of_that_name_elsewhere_is_not_taken_for_it(name: str) -> None:
    with pytest.raises(OutputInvalid, match=r"has no evaluation\.json"):
        found(archive({name: b"{}"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_in_its_place_is_refused(kind: bytes) -> None:
    with pytest.raises(OutputInvalid, match="plain file"):
        found(archive({"evaluation.json": b""}, type=kind, linkname="/etc/passwd"))


def test_an_evaluation_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(OutputInvalid, match="at most 10 bytes"):
        found(archive({"evaluation.json": b"x" * 11}), most=10)


def test_an_archive_that_unpacks_to_very_much_is_not_searched_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archived, "MAX_OUTPUT_BYTES", 1000)
    with pytest.raises(OutputInvalid, match="1000 bytes"):
        found(archive({"big": b"\0" * 2000, "evaluation.json": b"{}"}))


def test_an_archive_of_very_many_files_is_not_searched_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archived, "MAX_OUTPUT_FILES", 3)
    with pytest.raises(OutputInvalid, match="first 3 files"):
        found(archive({**{str(n): b"" for n in range(9)}, "evaluation.json": b"{}"}))


def header(kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "plain",
    [
        header(tarfile.XHDTYPE, 2**31) + bytes(4096),
        header(tarfile.GNUTYPE_LONGNAME, 2**31) + bytes(4096),
        header(tarfile.GNUTYPE_LONGNAME, 0) * 5000,
        header(b"0", -1024) * 2 + bytes(4096),
    ],
    ids=["a pax header of gigabytes", "a name of gigabytes", "headers without end", "a negative size"],
)
def test_a_header_that_leads_tarfile_astray_is_refused_by_name(plain: bytes) -> None:
    with pytest.raises(OutputInvalid):
        found(gzip.compress(plain))


def test_of_a_header_that_claims_gigabytes_none_is_kept_in_memory() -> None:
    bomb = gzip.compress(header(tarfile.XHDTYPE, 2**31) + bytes(200_000_000))
    tracemalloc.start()
    with pytest.raises(OutputInvalid):
        found(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


whole = archive({"evaluation.json": json.dumps(numbers()).encode()})


@example(b"\x1f\x8b\x08\x04" + b"\0" * 6)  # a gzip header that ends before its extra field
@given(
    st.binary(max_size=200)
    | st.binary(max_size=30).map(lambda rest: b"\x1f\x8b\x08" + rest)
    | st.integers(0, len(whole) - 1).map(lambda end: whole[:end])
)
def test_a_damaged_archive_gives_the_whole_file_or_is_refused_by_name(body: bytes) -> None:
    with contextlib.suppress(OutputInvalid):
        assert found(body) == json.dumps(numbers()).encode()


@given(st.integers(0, len(whole) - 1), st.integers(1, 255))
def test_an_archive_with_one_wrong_byte_is_read_or_refused_by_name(position: int, change: int) -> None:
    body = bytearray(whole)
    body[position] ^= change
    with contextlib.suppress(OutputInvalid):
        assert found(bytes(body))


@pytest.mark.parametrize(
    "broken",
    [
        {"accuracy": 1.2},
        {"accuracy": float("nan")},
        {"accuracy": None},
        {"count": 0},
        {"count": 10},
        {"per_class": []},
        {"per_class": [{"class": "0"}]},
        {"fingerprint": ""},
        {"champion": {"training_job": "demo-old", "accuracy": 0.9, "predicted": [0]}},
    ],
)
def test_numbers_that_cannot_be_are_not_believed(broken: dict[str, Any]) -> None:
    with pytest.raises(OutputInvalid):
        evaluation.parse(json.dumps(numbers(**broken) | broken).encode(), "here")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["test", "accuracy", "classes", "count", "per_class"]), inner, max_size=4
            )
        ),
    )
)
def test_no_json_fails_in_another_way_than_by_name(body: Any) -> None:
    with pytest.raises(OutputInvalid):
        evaluation.parse(json.dumps(body).encode(), "here")


@given(st.floats(0, 1), st.floats(0, 1))
def test_without_single_predictions_a_model_passes_exactly_if_it_beats_chance_and_the_champion(
    candidate: float, champion: float
) -> None:
    measured = evaluation.parse(json.dumps(numbers(candidate)).encode(), "here")
    settings = RegisterEnvironment.read(ENVIRONMENT)
    other = gate.Champion(version="1", training_job="demo-old", accuracy=champion, fingerprint="f" * 64)
    verdict = gate.judge(measured, 1.0, other, settings)
    above_chance = candidate > 0.6 and guessing.binomial_p(round(100 * candidate), 100, 0.6) < 0.05
    assert verdict.passed == (above_chance and candidate > champion)


@given(st.text(max_size=400))
def test_any_text_becomes_one_that_the_registry_accepts_as_metadata(text: str) -> None:
    kept = package._metadata_text(text)
    assert 1 <= len(kept) <= 256
    assert all(each.isalnum() or each in " _.:/=+-@" for each in kept if each.isascii())
