"""An acknowledged write is on the disk, or is an error: under `kill -9`, and when the disk is full."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.testing.local_server import LocalServer
from local_aws.testing.small_disk import NoSmallDiskError, SmallDisk
from system.test_server import make_function, until

MIB = 2**20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server for all tests that look at its files only."""
    made = LocalServer(tmp_path_factory.mktemp("durable") / "state").start()
    yield made
    made.end()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    made = LocalServer(tmp_path / "state").start()
    yield made
    made.end()


WRITES: dict[str, Callable[[Callable[[str], Any]], Any]] = {
    "ssm": lambda client: client("ssm").put_parameter(Name="marker-ssm", Value="x", Type="String"),
    "iam": lambda client: client("iam").create_user(UserName="marker-iam"),
    "s3": lambda client: client("s3").create_bucket(Bucket="marker-s3"),
    "sqs": lambda client: client("sqs").create_queue(QueueName="marker-sqs"),
    "sns": lambda client: client("sns").create_topic(Name="marker-sns"),
    "eventbridge": lambda client: client("events").put_rule(
        Name="marker-eventbridge", ScheduleExpression="rate(1 day)"
    ),
    "cloudwatch": lambda client: client("cloudwatch").put_dashboard(
        DashboardName="marker-cloudwatch", DashboardBody='{"widgets": []}'
    ),
    "cloudwatch_logs": lambda client: client("logs").create_log_group(logGroupName="marker-cloudwatch_logs"),
    "apigateway_v1": lambda client: client("apigateway").create_api_key(name="marker-apigateway_v1"),
    "ecr": lambda client: client("ecr").create_repository(repositoryName="marker-ecr"),
    "cloudformation": lambda client: client("cloudformation").create_stack(
        StackName="marker-cloudformation",
        TemplateBody=json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}),
    ),
}


@pytest.mark.parametrize("service", WRITES)
def test_a_write_is_on_the_disk_when_it_is_answered(running: LocalServer, service: str) -> None:
    WRITES[service](running.client)
    assert f"marker-{service}" in (running.state / "ministack" / f"{service}.json").read_text()


def test_a_functions_code_is_on_the_disk_when_it_is_answered(running: LocalServer) -> None:
    make_function(running, "marker-lambda", "def handler(event, context):\n    return 1\n")
    state = (running.state / "ministack" / "lambda.json").read_text()
    assert "marker-lambda" in state
    assert any((running.state / "ministack" / "lambda-blobs").iterdir())


def test_the_end_of_a_stack_and_what_it_made_are_on_the_disk_when_it_is_told(running: LocalServer) -> None:
    cloudformation = running.client("cloudformation")
    template = {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "of-a-stack"}}}}
    cloudformation.create_stack(StackName="told", TemplateBody=json.dumps(template))
    describe = cloudformation.describe_stacks
    while describe(StackName="told")["Stacks"][0]["StackStatus"] != "CREATE_COMPLETE":
        pass
    state = {name: (running.state / "ministack" / f"{name}.json").read_text() for name in ("sns",)}
    assert "of-a-stack" in state["sns"]
    stacks = json.loads((running.state / "ministack" / "cloudformation.json").read_text())["payload"][
        "stacks"
    ]
    assert [s["StackStatus"] for name, s in stacks["data"].items() if "'told'" in name] == ["CREATE_COMPLETE"]


def test_a_layers_bytes_do_not_go_into_the_state_and_come_back_with_it(server: LocalServer) -> None:
    """They made every snapshot take half a second, and an acknowledged write wait many for its own."""
    import io
    import os
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("python/large.bin", os.urandom(4 * MIB))
    client = server.client("lambda")
    client.publish_layer_version(LayerName="large", Content={"ZipFile": packed.getvalue()})
    assert (server.state / "ministack" / "lambda.json").stat().st_size < MIB
    server.kill()
    server.start()
    found = client.get_layer_version(LayerName="large", VersionNumber=1)
    assert found["Content"]["CodeSize"] == len(packed.getvalue())
    client.delete_layer_version(LayerName="large", VersionNumber=1)
    assert list((server.state / "ministack" / "lambda-blobs").iterdir()) == []


def test_parts_of_an_upload_survive_the_kill_and_it_is_completed_afterwards(server: LocalServer) -> None:
    s3 = server.client("s3")
    s3.create_bucket(Bucket="bucket")
    names = {"Bucket": "bucket", "Key": "large"}
    upload = s3.create_multipart_upload(**names, ContentType="text/plain")["UploadId"]
    bodies = [b"1" * 5 * MIB, b"2" * 10]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**names, UploadId=upload, PartNumber=n, Body=body)["ETag"]}
        for n, body in enumerate(bodies, start=1)
    ]
    server.kill()
    server.start()
    listed = s3.list_parts(**names, UploadId=upload)["Parts"]
    assert [part["ETag"] for part in listed] == [part["ETag"] for part in parts]
    s3.complete_multipart_upload(**names, UploadId=upload, MultipartUpload={"Parts": parts})
    found = s3.get_object(**names)
    assert found["Body"].read() == b"".join(bodies)
    assert found["ContentType"] == "text/plain"
    assert list((server.state / "local_aws" / "s3-uploads").iterdir()) == []
    aborted = s3.create_multipart_upload(**names)["UploadId"]
    s3.abort_multipart_upload(**names, UploadId=aborted)
    server.kill()
    server.start()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="bucket")


SLOW_FUNCTION = """
import time, boto3

def handler(event, context):
    s3 = boto3.client("s3")
    s3.put_object(Bucket="bucket", Key=f"began/{time.time()}", Body=b"1")
    if not s3.list_objects_v2(Bucket="bucket", Prefix="go")["KeyCount"]:
        time.sleep(60)
    s3.put_object(Bucket="bucket", Key="done", Body=b"1")
"""


def test_an_event_whose_function_was_killed_with_the_server_is_delivered_again(server: LocalServer) -> None:
    s3, events = server.client("s3"), server.client("events")
    s3.create_bucket(Bucket="bucket")
    arn = make_function(server, "slow", SLOW_FUNCTION)
    server.client("lambda").update_function_configuration(FunctionName="slow", Timeout=100)
    server.client("iam").put_role_policy(
        RoleName="slow-role",
        PolicyName="p",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
        ),
    )
    events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["test"]}))
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": '{"n": 1}'}])
    until(lambda: s3.list_objects_v2(Bucket="bucket", Prefix="began")["KeyCount"])
    s3.put_object(Bucket="bucket", Key="go", Body=b"1")
    server.kill()
    server.start()
    until(lambda: s3.list_objects_v2(Bucket="bucket", Prefix="done")["KeyCount"])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        made = SmallDisk(tmp_path / "disk")
    except NoSmallDiskError as error:
        pytest.skip(str(error))
    yield made
    made.gone()


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_on_a_full_disk_a_write_is_an_error_and_leaves_nothing(disk: SmallDisk) -> None:
    server = LocalServer(disk.folder / "state").start()
    try:
        _fill_and_look(server, disk)
    finally:
        disk.roomy()
        server.end()


def _fill_and_look(server: LocalServer, disk: SmallDisk) -> None:
    s3 = server.client("s3")
    for bucket in ("plain", "versioned"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="old", Body=b"old", Tagging="a=b")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="versioned", Key="old", Body=b"version 2")
    names = {"Bucket": "plain", "Key": "large"}
    upload = s3.create_multipart_upload(**names)["UploadId"]
    part = {
        "PartNumber": 1,
        "ETag": s3.upload_part(**names, UploadId=upload, PartNumber=1, Body=b"1" * MIB)["ETag"],
    }
    until(lambda: (server.state / "ministack" / "s3.json").exists())

    disk.full(room=MIB // 2)
    body = b"x" * 100_000
    written = written_until_full(s3, body)
    for bucket in ("plain", "versioned"):
        assert refusal(s3.put_object, Bucket=bucket, Key="old", Body=body)[0] == 500
        assert refusal(s3.copy_object, Bucket=bucket, Key="old", CopySource="plain/new/0")[0] == 500
    assert refusal(s3.upload_part, **names, UploadId=upload, PartNumber=2, Body=body * 20)[0] == 500
    done = {"UploadId": upload, "MultipartUpload": {"Parts": [part]}}
    assert refusal(s3.complete_multipart_upload, **names, **done)[0] == 500
    disk.full()
    value = "v" * 4000
    put = server.client("ssm").put_parameter
    assert "No space left" in refusal(put, Name="/p", Value=value, Type="String", Overwrite=True)[1]
    role = server.client("iam").create_user
    assert "No space left" in refusal(role, UserName="nobody", Tags=[{"Key": "k", "Value": value[:200]}])[1]
    sagemaker = server.client("sagemaker")
    status, message = refusal(
        lambda: [
            sagemaker.create_model_package_group(
                ModelPackageGroupName=f"g{number}", ModelPackageGroupDescription="d" * 1000
            )
            for number in range(1000)
        ]
    )
    assert (status, "full" in message) == (500, True)
    assert_only(s3, written, body)

    server.kill()
    disk.roomy()
    server.start()

    assert_only(s3, written, body)
    listed = s3.list_parts(**names, UploadId=upload)["Parts"]
    assert [each["PartNumber"] for each in listed] == [1]
    s3.complete_multipart_upload(**names, **done)
    assert s3.get_object(**names)["Body"].read() == b"1" * MIB
    put(Name="/p", Value=value, Type="String")


def written_until_full(s3: Any, body: bytes) -> list[str]:
    """Put objects until one is refused; the keys of those that were not."""
    keys: list[str] = []

    def put_next() -> None:
        while len(keys) < 20:
            s3.put_object(Bucket="plain", Key=f"new/{len(keys)}", Body=body)
            keys.append(f"new/{len(keys)}")

    status, message = refusal(put_next)
    assert status == 500
    assert "No space left on device" in message
    return keys


def assert_only(s3: Any, written: list[str], body: bytes) -> None:
    """Of all that was tried, exactly what was acknowledged is there."""
    names = {entry["Key"] for entry in s3.list_objects_v2(Bucket="plain")["Contents"]}
    assert names == {"old", *written}
    for name in written:
        assert s3.get_object(Bucket="plain", Key=name)["Body"].read() == body
    assert s3.get_object(Bucket="plain", Key="old")["Body"].read() == b"old"
    assert s3.get_object_tagging(Bucket="plain", Key="old")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert s3.get_object(Bucket="versioned", Key="old")["Body"].read() == b"version 2"
    versions = s3.list_object_versions(Bucket="versioned")["Versions"]
    bodies = [
        s3.get_object(Bucket="versioned", Key="old", VersionId=version["VersionId"])["Body"].read()
        for version in versions
    ]
    assert bodies == [b"version 2", b"old"]
