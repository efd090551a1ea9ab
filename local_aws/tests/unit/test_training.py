"""Claims about training jobs: what the container gets, what comes out, and how each end is told."""

import io
import json
import re
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.core import process
from local_aws.core.errors import AwsError, ValidationException
from local_aws.images.image_build import OCI_INDEX, OCI_MANIFEST
from unit.jobs_side import (
    ROLE,
    JobsSide,
    make_jobs_side,
    s3_channel,
    training_request,
    until,
)

TRAIN = """
    import json, os, pathlib, sys
    base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
    files = sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())
    folders = sorted(path.name for path in base.iterdir())
    config = {path.stem: json.loads(path.read_text()) for path in (base / "input/config").iterdir()}
    seen = {"args": sys.argv[1:], "files": files, "folders": folders, "config": config}
    seen["env"] = dict(os.environ)
    (base / "output/data/seen.json").write_text(json.dumps(seen))
    (base / "model/weights").write_text("w")
    print("epoch=1 score=0.25")
    print("epoch=2 score=0.75")
"""
FOREVER = """
    import pathlib, os, signal, sys, time
    base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
    def save(*_):
        (base / "model/weights").write_text("so far")
        sys.exit(0)
    signal.signal(signal.SIGTERM, save)
    print("score=0.5")
    while True: time.sleep(0.05)
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobsSide]:
    side = make_jobs_side(tmp_path)
    side.images.programs["program"] = TRAIN
    yield side
    process.begin(tmp_path / "state" / "processes")


def archive(jobs: JobsSide, uri: str) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(jobs.s3.get(uri))) as tar:
        return {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]


def seen(jobs: JobsSide, name: str) -> dict[str, Any]:
    output = archive(jobs, f"s3://artifacts/jobs/{name}/output/output.tar.gz")
    found: dict[str, Any] = json.loads(output["seen.json"])
    return found


def running(jobs: JobsSide, name: str) -> None:
    until(lambda: "score=0.5" in jobs.heard.log and jobs.describe(name)["SecondaryStatus"] == "Training")


def statuses(jobs: JobsSide) -> list[tuple[str, str]]:
    return [(detail["TrainingJobStatus"], detail["SecondaryStatus"]) for _, detail, _ in jobs.heard.events]


def test_a_completed_job_has_its_artifacts_times_and_final_metrics(jobs: JobsSide) -> None:
    job = jobs.trained("one")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert model == "s3://artifacts/jobs/one/output/model.tar.gz"
    assert archive(jobs, model) == {"weights": b"w"}
    assert [(m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]] == [("score", 0.75)]
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] == 1
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]


def test_the_container_finds_the_folder_sagemaker_promises(jobs: JobsSide) -> None:
    jobs.s3.put("s3://data/set/train/cat/1.jpg", b"1")
    jobs.s3.put("s3://data/set/train/dog/2.jpg", b"2")
    channel = {**s3_channel("train", "s3://data/set/train/"), "ContentType": "image/jpeg"}
    streamed = {**s3_channel("streamed", "s3://data/set/train/cat/"), "InputMode": "FastFile"}
    jobs.trained("one", InputDataConfig=[channel, streamed], HyperParameters={"epochs": "2"})
    found = seen(jobs, "one")
    assert found["args"] == ["train"]
    assert [name for name in found["files"] if name.startswith("input/data")] == [
        "input/data/streamed/1.jpg",
        "input/data/train/cat/1.jpg",
        "input/data/train/dog/2.jpg",
    ]
    assert found["folders"] == ["input", "model", "output"]
    assert found["config"]["hyperparameters"] == {"epochs": "2"}
    assert found["config"]["inputdataconfig"] == {
        "train": {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            "ContentType": "image/jpeg",
        },
        "streamed": {
            "TrainingInputMode": "FastFile",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        },
    }
    assert found["config"]["resourceconfig"]["current_instance_type"] == "ml.m5.large"


def test_a_job_for_a_gpu_instance_is_told_that_this_machine_is_none(jobs: JobsSide) -> None:
    """It would look for a GPU that it pays for, and fail for want of one."""
    jobs.trained(
        "one", ResourceConfig={"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    )
    told = seen(jobs, "one")["config"]["resourceconfig"]
    assert told["current_instance_type"] == "local"
    assert told["instance_groups"][0]["instance_type"] == "local"


def test_the_container_acts_with_its_roles_credentials_and_its_share_of_the_cores(jobs: JobsSide) -> None:
    jobs.trained("one", Environment={"COLOUR": "green"})
    env = seen(jobs, "one")["env"]
    assert env["AWS_ACCESS_KEY_ID"] == ROLE
    assert env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert (env["TRAINING_JOB_NAME"], env["COLOUR"]) == ("one", "green")
    assert int(env["OMP_NUM_THREADS"]) >= 1


def test_a_container_isolated_from_the_network_gets_no_credentials(jobs: JobsSide) -> None:
    jobs.trained("one", EnableNetworkIsolation=True)
    assert not [name for name in seen(jobs, "one")["env"] if name.startswith("AWS_SECRET")]


def test_log_lines_and_metrics_reach_cloudwatch(jobs: JobsSide) -> None:
    jobs.trained("one")
    assert jobs.heard.log == [
        "/aws/sagemaker/TrainingJobs one/algo-1",
        "epoch=1 score=0.25",
        "epoch=2 score=0.75",
    ]
    assert [(m["Namespace"], m["MetricName"], m["Value"]) for m in jobs.heard.metrics] == [
        ("/aws/sagemaker/TrainingJobs", "score", 0.25),
        ("/aws/sagemaker/TrainingJobs", "score", 0.75),
    ]
    assert jobs.heard.metrics[0]["Dimensions"] == [{"Name": "TrainingJobName", "Value": "one"}]


def test_every_status_change_is_an_event_as_aws_shapes_it(jobs: JobsSide) -> None:
    job = jobs.trained("one", Tags=[{"Key": "run", "Value": "r1"}])
    assert statuses(jobs) == [
        ("InProgress", "Starting"),
        ("InProgress", "Starting"),
        ("InProgress", "Downloading"),
        ("InProgress", "Training"),
        ("InProgress", "Uploading"),
        ("Completed", "Completed"),
    ]
    kind, detail, resources = jobs.heard.events[-1]
    assert kind == "SageMaker Training Job State Change"
    assert resources == [job["TrainingJobArn"]]
    assert detail["Tags"] == {"run": "r1"}
    assert detail["FailureReason"] is None
    assert detail["TuningJobArn"] is None
    assert detail["CreationTime"] == round(job["CreationTime"] * 1000)
    assert detail["ModelArtifacts"] == job["ModelArtifacts"]
    json.dumps(detail)


def test_the_transitions_tell_the_story_with_a_start_and_an_end_each(jobs: JobsSide) -> None:
    transitions = jobs.trained("one")["SecondaryStatusTransitions"]
    assert [(entry["Status"], entry["StatusMessage"]) for entry in transitions] == [
        ("Starting", "Preparing the instances for training"),
        ("Downloading", "Downloading input data"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Completed", "Training job completed"),
    ]
    assert all(entry["StartTime"] <= entry["EndTime"] for entry in transitions)


def test_a_failed_job_tells_the_text_of_its_failure_file_and_its_exit_code(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = """
        import os, pathlib
        base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
        (base / "output/failure").write_text("no pictures in train/")
        (base / "output/data/trace.txt").write_text("where")
        raise SystemExit(3)
    """
    job = jobs.trained("one")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"] == "AlgorithmError: no pictures in train/, exit code: 3"
    assert "ModelArtifacts" not in job
    assert archive(jobs, "s3://artifacts/jobs/one/output/output.tar.gz") == {"trace.txt": b"where"}


def test_a_failure_reason_keeps_aws_limit_and_the_exit_code(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = """
        import os, pathlib
        (pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "output/failure").write_text("x" * 5000)
        raise SystemExit(1)
    """
    reason = jobs.trained("one")["FailureReason"]
    assert len(reason) == 1024
    assert reason.endswith("x, exit code: 1")


def test_an_image_that_no_registry_has_starts_no_job(jobs: JobsSide) -> None:
    del jobs.images.programs["program"]
    with pytest.raises(ValidationException, match="the image program was not built here"):
        jobs.train("one")
    assert jobs.call("ListTrainingJobs")["TrainingJobSummaries"] == []


@pytest.mark.parametrize("media_type", [OCI_INDEX, OCI_MANIFEST])
def test_an_image_with_a_manifest_of_oci_starts_no_job(jobs: JobsSide, media_type: str) -> None:
    jobs.images.media_type = media_type
    with pytest.raises(ValidationException, match=f"Unsupported manifest media type {re.escape(media_type)}"):
        jobs.train("one")
    assert jobs.call("ListTrainingJobs")["TrainingJobSummaries"] == []


def test_a_stopped_job_saves_itself_and_its_model_is_uploaded(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = FOREVER
    jobs.train("one")
    running(jobs, "one")
    jobs.call("StopTrainingJob", TrainingJobName="one")
    assert jobs.describe("one")["TrainingJobStatus"] in ("Stopping", "Stopped")
    until(lambda: jobs.end_is_told("TrainingJob", "one"))
    assert archive(jobs, "s3://artifacts/jobs/one/output/model.tar.gz") == {"weights": b"so far"}
    assert statuses(jobs)[-2:] == [("Stopping", "Stopping"), ("Stopped", "Stopped")]
    assert "FailureReason" not in jobs.describe("one")


def test_a_job_over_its_time_is_stopped_as_max_runtime_exceeded(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = FOREVER
    job = jobs.trained("one", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "ModelArtifacts" in job


def test_a_job_that_has_ended_cannot_be_stopped(jobs: JobsSide) -> None:
    jobs.trained("one")
    with pytest.raises(AwsError, match="rejected because the training job is in status Completed"):
        jobs.call("StopTrainingJob", TrainingJobName="one")


def test_a_job_waits_for_a_place_and_can_be_stopped_while_it_waits(
    jobs: JobsSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local_aws.sagemaker.training.machine._cores", lambda: 1)
    jobs = jobs.restarted()
    jobs.images.programs["program"] = FOREVER
    jobs.train("first")
    running(jobs, "first")
    jobs.train("second")
    until(lambda: jobs.describe("second")["SecondaryStatus"] == "Pending")
    jobs.call("StopTrainingJob", TrainingJobName="second")
    until(lambda: jobs.describe("second")["TrainingJobStatus"] == "Stopped")
    assert "TrainingStartTime" not in jobs.describe("second")
    jobs.call("StopTrainingJob", TrainingJobName="first")
    until(lambda: jobs.describe("first")["TrainingJobStatus"] == "Stopped")


def test_checkpoints_come_from_s3_and_go_there_while_the_job_runs(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = FOREVER.replace(
        'print("score=0.5")',
        """
    old = (base / "checkpoints/old.pt").read_text()
    (base / "checkpoints/new.pt").write_text("after " + old)
    print("score=0.5")
        """.strip(),
    )
    jobs.s3.put("s3://artifacts/checkpoints/one/old.pt", b"step 7")
    jobs.train("one", CheckpointConfig={"S3Uri": "s3://artifacts/checkpoints/one"})
    running(jobs, "one")
    until(lambda: ("artifacts", "checkpoints/one/new.pt") in jobs.s3.objects)
    assert jobs.s3.get("s3://artifacts/checkpoints/one/new.pt") == b"after step 7"
    assert jobs.describe("one")["TrainingJobStatus"] == "InProgress"
    jobs.call("StopTrainingJob", TrainingJobName="one")
    until(lambda: jobs.describe("one")["TrainingJobStatus"] == "Stopped")


def test_artifacts_without_compression_are_single_objects(jobs: JobsSide) -> None:
    output = {"S3OutputPath": "s3://artifacts/jobs/", "CompressionType": "NONE"}
    job = jobs.trained("one", OutputDataConfig=output)
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://artifacts/jobs/one/output/model/"
    assert jobs.s3.get("s3://artifacts/jobs/one/output/model/weights") == b"w"


def test_a_job_running_when_the_server_died_is_failed_and_its_process_gone(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = FOREVER
    jobs.train("one")
    running(jobs, "one")
    again = jobs.restarted()
    job = again.describe("one")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].endswith("the local AWS was stopped while this job ran")
    assert jobs.heard.events[-1][1]["TrainingJobStatus"] == "Failed"


def test_what_a_job_leaves_behind_on_this_machine_is_removed(jobs: JobsSide) -> None:
    jobs.trained("one")
    assert not (jobs.aws.root / "training-jobs" / "one").exists()


def test_a_container_killed_from_outside_fails_the_job(jobs: JobsSide) -> None:
    jobs.images.programs["program"] = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
    assert jobs.trained("one")["FailureReason"] == "AlgorithmError: , exit code: 137"


def test_a_name_can_be_used_once(jobs: JobsSide) -> None:
    jobs.trained("one")
    with pytest.raises(AwsError, match="a training job with this name already exists") as error:
        jobs.train("one")
    assert error.value.code == "ResourceInUse"


def test_a_deleted_job_is_gone_with_its_tags(jobs: JobsSide) -> None:
    arn = jobs.trained("one", Tags=[{"Key": "a", "Value": "b"}])["TrainingJobArn"]
    jobs.call("DeleteTrainingJob", TrainingJobName="one")
    with pytest.raises(AwsError, match=r"Requested resource not found\."):
        jobs.describe("one")
    with pytest.raises(AwsError, match="No resource with the ARN"):
        jobs.call("ListTags", ResourceArn=arn)


def test_tags_are_added_replaced_and_deleted(jobs: JobsSide) -> None:
    arn = jobs.trained("one", Tags=[{"Key": "a", "Value": "1"}])["TrainingJobArn"]
    tags = [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}]
    assert jobs.call("AddTags", ResourceArn=arn, Tags=tags)["Tags"] == tags
    jobs.call("DeleteTags", ResourceArn=arn, TagKeys=["a"])
    assert jobs.call("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "3"}]


def test_jobs_are_listed_by_name_and_status_in_pages(jobs: JobsSide) -> None:
    for name in ("cat-1", "dog-1", "cat-2"):
        jobs.trained(name)
    first = jobs.call("ListTrainingJobs", NameContains="cat", MaxResults=1, SortBy="Name")
    second = jobs.call(
        "ListTrainingJobs", NameContains="cat", MaxResults=1, SortBy="Name", NextToken=first["NextToken"]
    )
    names = [page["TrainingJobSummaries"][0]["TrainingJobName"] for page in (first, second)]
    assert sorted(names) == ["cat-1", "cat-2"]
    assert "NextToken" not in second
    assert jobs.call("ListTrainingJobs", StatusEquals="Failed")["TrainingJobSummaries"] == []


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            {"InputDataConfig": [s3_channel("train", "s3://nowhere/x")]},
            'No S3 objects found under S3 URL "s3:/',
        ),
        ({"InputDataConfig": [s3_channel("a", "s3://b/x")] * 2}, "the channel name a is used twice"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 9}}, "Set InstanceCount to 8"),
        ({"ResourceConfig": {"InstanceCount": 1}}, "InstanceType and InstanceCount are required"),
        ({"EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds is required"),
        (
            {"CheckpointConfig": {"S3Uri": "s3://b/c", "LocalPath": "/etc"}},
            "LocalPath /etc is not below /opt/ml",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": "p", "TrainingInputMode": "Pipe"}},
            "TrainingInputMode Pipe: the local AWS knows File and FastFile",
        ),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": "p",
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(["}],
                }
            },
            "of the metric loss is not valid",
        ),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": "p",
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.)"}] * 2,
                }
            },
            "the metric loss is defined twice",
        ),
    ],
)
def test_a_request_that_cannot_run_is_refused_by_name_and_nothing_starts(
    jobs: JobsSide, members: dict[str, Any], message: str
) -> None:
    with pytest.raises(AwsError, match=message.replace("(", r"\(")):
        jobs.train("one", **members)
    assert jobs.call("ListTrainingJobs")["TrainingJobSummaries"] == []
    assert jobs.heard.events == []


def test_a_role_the_caller_may_not_pass_starts_nothing(jobs: JobsSide) -> None:
    jobs.heard.forbidden_roles.add(ROLE)
    with pytest.raises(AwsError, match="iam:PassRole"):
        jobs.train("one")
    assert jobs.call("ListTrainingJobs")["TrainingJobSummaries"] == []


def test_managed_spot_training_is_accepted_and_described(jobs: JobsSide) -> None:
    stopping = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120}
    job = jobs.trained("one", EnableManagedSpotTraining=True, StoppingCondition=stopping)
    assert job["TrainingJobStatus"] == "Completed"
    assert job["EnableManagedSpotTraining"] is True


def test_another_entrypoint_and_arguments_replace_the_images_own(jobs: JobsSide) -> None:
    request = training_request("one")
    request["AlgorithmSpecification"] |= {
        "ContainerEntrypoint": ["python", "-c"],
        "ContainerArguments": ["print('score=0.125')"],
    }
    job = jobs.trained("one", **{"AlgorithmSpecification": request["AlgorithmSpecification"]})
    assert job["FinalMetricDataList"][0]["Value"] == 0.125
