"""A batch on a whole deployment: a folder and a prefix, twice in a row, without an endpoint, and with exactly
the permissions that it needs.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from contract.decisions import Decision, Outcome, Reason, time_of
from contract.names import NO_CHAMPION, champion_parameter
from contract.storage import BATCH_ANSWERS, BATCH_PARTS
from tests.system.conftest import LOCAL_SETTINGS, PROJECT, Deployment, deploying
from tests.system.releases import Registry
from tests.system.rights import role_of, without
from tests.unit.inference_code.artifacts import CLASSES, add_graph, write_artifact

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]

_ARCHIVE: Final = "jobs/classifier-pets-final/output/model.tar.gz"
_IMAGE: Final = "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:1"
THEIRS: Final = "somebody-elses-pictures"
"""A bucket of others, which the settings name."""
_NAMES: Final = ("one.png", "deep/er/two.png", "deep/three.png", "broken.jpg")


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    settings = LOCAL_SETTINGS | {"batch": {"read_buckets": [THEIRS]}}
    with deploying("local", tmp_path_factory.mktemp("batch"), settings) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def sleeping(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A champion that sleeps; its package."""
    folder = add_graph(write_artifact(tmp_path_factory.mktemp("artifact") / "model"), "f32")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path in folder.iterdir():
            tar.add(path, arcname=path.name)
    bucket = deployment.outputs["artifacts_bucket"]
    deployment.client("s3").put_object(Bucket=bucket, Key=_ARCHIVE, Body=packed.getvalue())
    package = Registry(deployment.client, PROJECT, bucket).register(_IMAGE, f"s3://{bucket}/{_ARCHIVE}")
    time = time_of(datetime.now(UTC))
    asleep = Decision(0, NO_CHAMPION, time, package, time, Reason(Outcome.ASKED_TO_SLEEP))
    deployment.client("ssm").put_parameter(
        Name=champion_parameter(PROJECT), Value=NO_CHAMPION, Description=asleep.text(), Overwrite=True
    )
    return package


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pictures") / "Holiday 2026"
    for number, name in enumerate(_NAMES):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (number * 60, 90, 200)).save(place / name)
    (place / "broken.jpg").write_bytes(b"no picture")
    (place / ".DS_Store").write_bytes(b"hidden")
    return place


def answers(path: Path) -> dict[str, dict[str, Any]]:
    """The lines by picture, of which each has one."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert len(lines) == len({line["key"] for line in lines})
    return {line["key"]: line for line in lines}


def test_a_folder_is_answered_and_only_what_is_new_the_second_time(
    deployment: Deployment, sleeping: str, folder: Path, tmp_path: Path
) -> None:
    planned = deployment.cli("batch", str(folder), "--dry-run").stdout
    assert "answers 4 pictures" in planned
    assert not deployment.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]

    done = deployment.cli("batch", str(folder), "--out", str(tmp_path / "first"), "--yes")
    assert "4 files are sent" in done.stdout
    first = answers(tmp_path / "first" / "answers.jsonl")
    assert set(first) == set(_NAMES)
    assert first["broken.jpg"]["error"]["code"] == "UnsupportedImage"
    assert first["one.png"]["model"] == {"name": PROJECT, "version": sleeping.rpartition("/")[2]}
    assert "<html" in (tmp_path / "first" / "batch.html").read_text()

    Image.new("RGB", (40, 40), "red").save(folder / "deep" / "new.png")
    (folder / "one.png").unlink()
    done = deployment.cli("batch", str(folder), "--out", str(tmp_path / "second.jsonl"), "--instances", "2")
    assert "1 file is sent, 3 are there already, 1 is removed" in done.stdout.replace("\n", " ")
    second = answers(tmp_path / "second.jsonl")
    assert set(second) == {*_NAMES, "deep/new.png"} - {"one.png"}
    assert {key: second[key] for key in first if key in second} == {
        key: first[key] for key in first if key in second
    }
    assert "3 of them by earlier runs" in done.stdout


def test_a_prefix_of_the_data_bucket_is_answered_where_it_lies(
    deployment: Deployment, sleeping: str, folder: Path, tmp_path: Path
) -> None:
    s3, bucket = deployment.client("s3"), deployment.outputs["data_bucket"]
    s3.put_object(Bucket=bucket, Key="shelf/a/1.png", Body=(folder / "deep" / "three.png").read_bytes())
    deployment.cli("batch", f"s3://{bucket}/shelf", "--out", str(tmp_path / "shelf.csv"))
    rows = (tmp_path / "shelf.csv").read_text().splitlines()
    assert len(rows) == 2
    assert rows[1].startswith("shelf/a/1.png,")


def test_a_bucket_of_others_is_answered_where_it_lies_as_long_as_each_role_may(
    deployment: Deployment, sleeping: str, folder: Path, tmp_path: Path
) -> None:
    s3 = deployment.client("s3")
    s3.create_bucket(Bucket=THEIRS)
    s3.put_object(Bucket=THEIRS, Key="shelf/1.png", Body=(folder / "deep" / "three.png").read_bytes())
    source, job = f"s3://{THEIRS}/shelf", f"{PROJECT}-batch-job-us-east-1"
    with without(deployment, role_of(deployment, "launch-batch"), "s3:ListBucket", THEIRS):
        answer = deployment.invoke("launch-batch", {"source": source})
    assert answer["error"]["code"] == "NotAllowed", answer
    assert "s3:ListBucket" in answer["error"]["message"]
    for action, resource in (("s3:ListBucket", THEIRS), ("s3:GetObject", f"{THEIRS}/*")):
        with without(deployment, job, action, resource):
            done = deployment.cli("batch", source, "--watch", check=False)
        assert done.returncode == 1, (action, done.stdout)
        assert action in done.stderr or "Forbidden" in done.stderr, done.stderr
    deployment.cli("batch", source, "--out", str(tmp_path / "theirs.jsonl"))
    assert set(answers(tmp_path / "theirs.jsonl")) == {"shelf/1.png"}


def test_what_sleeps_goes_on_sleeping_and_nothing_follows(deployment: Deployment, sleeping: str) -> None:
    sagemaker = deployment.client("sagemaker")
    value = deployment.client("ssm").get_parameter(Name=champion_parameter(PROJECT))["Parameter"]["Value"]
    assert value == NO_CHAMPION
    assert not sagemaker.list_endpoints()["Endpoints"]
    packages = sagemaker.list_model_packages(ModelPackageGroupName=PROJECT)["ModelPackageSummaryList"]
    assert [each["ModelPackageArn"] for each in packages] == [sleeping]
    assert "Nothing has been run yet" in deployment.cli("status", check=False).stderr
    assert "_batch" not in deployment.cli("datasets").stdout


def test_the_launcher_needs_each_of_its_permissions(deployment: Deployment, sleeping: str) -> None:
    data, artifacts = (deployment.outputs[f"{name}_bucket"] for name in ("data", "artifacts"))
    role = role_of(deployment, "launch-batch")
    request = {"source": f"s3://{data}/shelf/"}
    for action, resource in (
        ("sagemaker:CreateTrainingJob", f"training-job/{PROJECT}-batch-*"),
        ("sagemaker:DescribeTrainingJob", f"training-job/{PROJECT}-batch-*"),
        ("sagemaker:AddTags", f"training-job/{PROJECT}-batch-*"),
        ("sagemaker:DescribeModelPackage", f"model-package/{PROJECT}/*"),
        ("ssm:GetParameterHistory", f"parameter/{PROJECT}/champion"),
        ("iam:PassRole", f"{PROJECT}-batch-job-us-east-1"),
        ("s3:PutObject", f"{artifacts}/batch/lists/*"),
        ("s3:ListBucket", artifacts),
        ("s3:ListBucket", data),
    ):
        with without(deployment, role, action, resource):
            answer = deployment.invoke("launch-batch", request)
        assert action in answer.get("errorMessage", ""), (action, answer)
    before = deployment.client("sagemaker").list_training_jobs(NameContains="batch", MaxResults=100)
    answer = deployment.invoke("launch-batch", request)
    assert answer["statusCode"] == 202, answer
    assert answer["training_job"] not in str(before)
    deployment.cli("batch", "--job", answer["training_job"])


def test_a_job_needs_each_of_its_permissions(deployment: Deployment, sleeping: str) -> None:
    data, artifacts = (deployment.outputs[f"{name}_bucket"] for name in ("data", "artifacts"))
    role = f"{PROJECT}-batch-job-us-east-1"
    source = f"s3://{data}/shelf"
    deployment.cli("batch", source, "--watch")  # so that there is something to go on with
    for action, resource in (
        ("s3:ListBucket", data),
        ("s3:GetObject", f"{data}/*"),
        ("s3:ListBucket", artifacts),
        ("s3:GetObject", f"{artifacts}/code/*"),
        ("s3:GetObject", f"{artifacts}/jobs/*"),
        ("s3:GetObject", f"{artifacts}/{BATCH_PARTS.partition('/')[0]}/lists/*"),
        ("s3:GetObject", f"{artifacts}/{BATCH_PARTS}/*"),
        ("s3:PutObject", f"{artifacts}/{BATCH_ANSWERS}/*"),
    ):
        with without(deployment, role, action, resource):
            done = deployment.cli("batch", source, "--watch", check=False)
        assert done.returncode == 1, (action, resource, done.stdout)
        # Of a HEAD, AWS says no more than this.
        assert action in done.stderr or "Forbidden" in done.stderr, done.stderr


def test_without_the_right_to_keep_them_answers_are_not_lost_and_not_kept(
    deployment: Deployment, sleeping: str, tmp_path: Path
) -> None:
    data, artifacts = (deployment.outputs[f"{name}_bucket"] for name in ("data", "artifacts"))
    out = tmp_path / "answers.jsonl"
    with without(
        deployment, f"{PROJECT}-batch-job-us-east-1", "s3:PutObject", f"{artifacts}/{BATCH_PARTS}/*"
    ):
        deployment.cli("batch", f"s3://{data}/shelf", "--afresh", "--out", str(out))
    assert set(answers(out)) == {"shelf/a/1.png"}


def noise(path: Path, seed: int) -> None:
    """A picture that is no near duplicate of another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    squares = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(squares).resize((80, 80), Image.Resampling.BICUBIC).save(path)


def test_what_to_label_next_is_chosen_from_a_batch_and_becomes_a_version(
    deployment: Deployment, sleeping: str, tmp_path: Path
) -> None:
    shelf, insects, chosen = tmp_path / "shelf", tmp_path / "insects", tmp_path / "chosen"
    for seed in range(24):
        noise(insects / CLASSES[seed % 3] / f"{seed}.png", seed)
        noise(shelf / f"{seed % 2}" / f"{seed}.png", seed + 20)  # the first four are insects already
    (shelf / "broken.jpg").write_bytes(b"no picture")
    deployment.cli("upload", str(insects), "--dataset", "insects", "--yes")
    deployment.cli("batch", str(shelf), "--watch")
    asked = ("select", str(shelf), "--count", "6", "--dataset", "insects", "--out", str(chosen))
    refused = deployment.cli(*asked, check=False)
    assert refused.returncode == 1
    assert "kept no features" in refused.stderr
    assert not chosen.exists()

    planned = deployment.cli("batch", str(shelf), "--features", "--instances", "2", "--watch").stdout
    assert "features are kept beside the answers" in planned
    assert "4 are in insects@1 already" in deployment.cli(*asked).stdout
    files = sorted(path.relative_to(chosen) for path in chosen.rglob("*.png"))
    assert len(files) == 6
    assert {(each.parts[0], each.parts[1] in CLASSES) for each in files} == {("train", True)}
    again = json.loads(deployment.cli(*asked, "--json").stdout)["data"]
    assert sorted(Path(each["file"]) for each in again["pictures"]) == files

    (chosen / "train" / CLASSES[1]).mkdir(exist_ok=True)
    (chosen / files[0]).rename(chosen / "train" / CLASSES[1] / files[0].name)
    deployment.cli(*asked)
    assert (chosen / "train" / CLASSES[1] / files[0].name).exists(), "what was moved stays where it is"
    deployment.cli("upload", str(chosen), "--dataset", "insects", "--keep", "--yes")
    newest = json.loads(deployment.cli("dataset", "insects", "--json").stdout)["data"]
    assert (newest["version"], newest["pictures"]) == (2, 30)
    deployment.cli(*asked[:-1], str(tmp_path / "next"), "--count", "100")
    left = {path.stem.partition("-")[0] for path in (tmp_path / "next").rglob("*.png")}
    assert len(left) == 24 - 4 - 6
    assert not left & {each.stem.partition("-")[0] for each in files}
