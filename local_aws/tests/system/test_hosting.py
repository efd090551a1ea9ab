"""Hosting as clients nobody here wrote see it: boto3 with its waiters, SageMaker's own SDK, the AWS CLI.

Everything is real: the server, IAM (an endpoint's role that may read one bucket), S3, a container with a
Dockerfile.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError, WaiterError

from local_aws.core.store import Store
from local_aws.images.store import ImageStore
from local_aws.testing.local_server import LocalServer
from system.sdk import sagemaker_sdk
from unit.hosting_support import IMAGE, archive, build_image, until

ROLE = "arn:aws:iam::000000000000:role/endpoint"
SCALED = {
    "ServiceNamespace": "sagemaker",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


class Server(LocalServer):
    """The server with this suite's picture to ask about."""

    def invoke(self, body: bytes = b"picture", endpoint: str = "shop", **members: Any) -> dict[str, Any]:
        answer = self.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=body, **members)
        document: dict[str, Any] = json.loads(answer["Body"].read())
        return document


@contextmanager
def hosting(folder: Path) -> Iterator[Server]:
    """A server with an image to run, and with models, roles and what else a test of hosting needs."""
    server = Server(folder / "state")
    build_image(
        ImageStore(Store(server.state / "local_aws.db"), server.state / "local_aws" / "images"), folder
    )
    server.start()
    try:
        furnish(server)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with hosting(tmp_path_factory.mktemp("hosting")) as server:
        yield server


def furnish(server: Server) -> None:
    s3, iam = server.client("s3"), server.client("iam")
    for bucket in ("models", "secret"):
        s3.create_bucket(Bucket=bucket)
        for name in ("good", "better", "broken"):
            s3.put_object(Bucket=bucket, Key=f"{name}.tar.gz", Body=archive({"name.txt": name}))
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    iam.create_role(
        RoleName="endpoint",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/*"}
    policy = {"Version": "2012-10-17", "Statement": [read]}
    iam.put_role_policy(RoleName="endpoint", PolicyName="read", PolicyDocument=json.dumps(policy))
    sagemaker = server.client("sagemaker")
    for name in ("good", "better", "broken"):
        sagemaker.create_model(
            ModelName=name,
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": f"s3://models/{name}.tar.gz"},
        )
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InstanceType": "ml.c7i.large",
            "InitialInstanceCount": 1,
        }
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


@pytest.fixture(scope="module")
def shop(server: Server) -> str:
    """An endpoint in service."""
    sagemaker = server.client("sagemaker")
    sagemaker.create_endpoint(EndpointName="shop", EndpointConfigName="good")
    in_service(server, "shop")
    return "shop"


def in_service(server: Server, endpoint: str) -> dict[str, Any]:
    sagemaker = server.client("sagemaker")
    waiter = sagemaker.get_waiter("endpoint_in_service")
    waiter.wait(EndpointName=endpoint, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    described: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=endpoint)
    return described


def test_an_endpoint_comes_up_answers_and_goes_as_the_waiters_expect(server: Server) -> None:
    sagemaker = server.client("sagemaker")
    sagemaker.create_endpoint(EndpointName="brief", EndpointConfigName="good")
    assert in_service(server, "brief")["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    answer = server.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="brief", Body=b"abc", ContentType="image/png", CustomAttributes="top_k=3"
    )
    document = json.loads(answer["Body"].read())
    assert document["model"] == "good"
    assert document["headers"]["content-type"] == "image/png"
    assert answer["ContentType"] == "application/json"
    assert answer["CustomAttributes"] == "echo top_k=3"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    pid = document["pid"]
    sagemaker.delete_endpoint(EndpointName="brief")
    waiter = sagemaker.get_waiter("endpoint_deleted")
    waiter.wait(EndpointName="brief", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert not psutil.pid_exists(pid)
    with pytest.raises(
        ClientError, match=r"ValidationError.*Endpoint brief of account 000000000000 not found"
    ):
        server.invoke(endpoint="brief")


def test_the_error_of_a_container_reaches_the_client_as_model_error(server: Server, shop: str) -> None:
    runtime = server.client("sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(EndpointName=shop, Body=b"status 415")
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 415
    assert json.loads(answer["OriginalMessage"])["error"]["code"] == "Told"
    assert answer["LogStreamArn"].endswith("log-group:/aws/sagemaker/Endpoints/shop")


def test_the_server_process_has_the_roles_credentials_and_its_output_is_in_cloudwatch_logs(
    server: Server, shop: str
) -> None:
    assert server.invoke()["env"]["AWS_ACCESS_KEY_ID"] not in (None, server.root_key["AccessKeyId"])
    logs = server.client("logs")
    group = "/aws/sagemaker/Endpoints/shop"
    streams = until(lambda: logs.describe_log_streams(logGroupName=group)["logStreams"])
    assert streams[0]["logStreamName"].startswith("AllTraffic/i-")
    name = streams[0]["logStreamName"]
    events = until(lambda: logs.get_log_events(logGroupName=group, logStreamName=name)["events"])
    assert events[0]["message"] == "serving good"


def test_only_who_may_invoke_the_endpoint_can(server: Server, shop: str) -> None:
    iam, sts = server.client("iam"), server.client("sts")
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="caller", AssumeRolePolicyDocument=document)["Role"]["Arn"]

    def invoke() -> int:
        credentials = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        keys = {name: credentials[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
        runtime = server.client("sagemaker-runtime", keys)
        answer = runtime.invoke_endpoint(EndpointName=shop, Body=b"picture")
        return int(answer["ResponseMetadata"]["HTTPStatusCode"])

    with pytest.raises(ClientError, match=r"AccessDenied.*sagemaker:InvokeEndpoint.*endpoint/shop"):
        invoke()
    allow = {
        "Effect": "Allow",
        "Action": "sagemaker:InvokeEndpoint",
        "Resource": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/shop",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="caller", PolicyName="invoke", PolicyDocument=policy)
    assert invoke() == 200


def test_a_slow_model_holds_up_nothing_else(server: Server, shop: str) -> None:
    with ThreadPoolExecutor(20) as pool:
        slow = [pool.submit(server.invoke, b"sleep 8") for _ in range(20)]
        time.sleep(0.5)
        server.client("s3").list_buckets()
        assert server.invoke()["model"]
        assert not any(future.done() for future in slow)
        assert all(future.result()["model"] for future in slow)


def test_an_update_loses_no_request(server: Server, shop: str) -> None:
    sagemaker = server.client("sagemaker")
    answers: list[str] = []
    failures: list[Exception] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(server.invoke(b"sleep 0.1")["model"])
            except Exception as error:
                failures.append(error)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        until(lambda: "good" in answers)
        sagemaker.update_endpoint(EndpointName=shop, EndpointConfigName="better")
        assert in_service(server, shop)["EndpointConfigName"] == "better"
        seen = len(answers)
        until(lambda: len(answers) > seen + 6)
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert failures == []
    assert set(answers) == {"good", "better"}
    assert answers[-1] == "better"


def test_a_new_model_that_does_not_load_leaves_the_old_one_serving(server: Server, shop: str) -> None:
    before = server.invoke()["model"]
    server.client("sagemaker").update_endpoint(EndpointName=shop, EndpointConfigName="broken")
    described = in_service(server, shop)
    assert "did not pass the ping health check" in described["FailureReason"]
    assert described["EndpointConfigName"] != "broken"
    assert server.invoke()["model"] == before


def test_an_update_whose_answers_take_too_long_is_taken_back_by_its_alarm(server: Server, shop: str) -> None:
    cloudwatch, sagemaker = server.client("cloudwatch"), server.client("sagemaker")
    dimensions = [{"Name": "EndpointName", "Value": shop}, {"Name": "VariantName", "Value": "AllTraffic"}]
    cloudwatch.put_metric_alarm(
        AlarmName="slow",
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Dimensions=dimensions,
        ExtendedStatistic="p99",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5_000_000,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    # What was slow in the tests before this one is a minute back then.
    until(
        lambda: not cloudwatch.describe_alarms(AlarmNames=["slow"], StateValue="ALARM")["MetricAlarms"], 300
    )
    before = server.invoke()["model"]
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 600}
    sagemaker.update_endpoint(
        EndpointName=shop,
        EndpointConfigName="good" if before == "better" else "better",
        DeploymentConfig={
            "BlueGreenUpdatePolicy": policy,
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "slow"}]},
        },
    )
    until(lambda: server.invoke()["model"] != before)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(server.invoke, [b"sleep 6"] * 8))
    until(lambda: sagemaker.describe_endpoint(EndpointName=shop)["EndpointStatus"] == "InService", 300)
    described = sagemaker.describe_endpoint(EndpointName=shop)
    assert "went into ALARM state during the deployment: slow" in described["FailureReason"]
    assert server.invoke()["model"] == before
    cloudwatch.delete_alarms(AlarmNames=["slow"])


def test_an_endpoint_that_does_not_load_fails_with_the_reason(server: Server) -> None:
    sagemaker = server.client("sagemaker")
    sagemaker.create_endpoint(EndpointName="hopeless", EndpointConfigName="broken")
    with pytest.raises(WaiterError):
        in_service(server, "hopeless")
    reason = sagemaker.describe_endpoint(EndpointName="hopeless")["FailureReason"]
    assert reason.startswith(
        "The primary container for production variant AllTraffic did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
    sagemaker.delete_endpoint(EndpointName="hopeless")
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="hopeless", WaiterConfig={"Delay": 1})


def test_a_model_whose_role_may_not_read_the_artifact_is_refused(server: Server) -> None:
    with pytest.raises(ClientError, match="Could not access model data at s3://secret"):
        server.client("sagemaker").create_model(
            ModelName="secret",
            ExecutionRoleArn=ROLE,
            PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://secret/good.tar.gz"},
        )


def test_a_server_process_that_dies_is_started_again(server: Server, shop: str) -> None:
    pid = server.invoke()["pid"]
    os.kill(pid, signal.SIGKILL)

    def another() -> bool:
        with contextlib.suppress(ClientError):
            return bool(server.invoke()["pid"] != pid)
        return False

    until(another)


def test_invocations_are_counted_in_cloudwatch(server: Server, shop: str) -> None:
    server.invoke()

    def counted(metric: str) -> float:
        found = server.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[
                {"Name": "EndpointName", "Value": shop},
                {"Name": "VariantName", "Value": "AllTraffic"},
            ],
            StartTime=time.time() - 600,
            EndTime=time.time() + 60,
            Period=60,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in found["Datapoints"]))

    until(lambda: counted("Invocations") >= 1)
    assert counted("InvocationsPerInstance") >= 1
    assert counted("ModelLatency") > 0


def test_auto_scaling_really_starts_and_stops_processes(server: Server, shop: str) -> None:
    scaling, sagemaker = server.client("application-autoscaling"), server.client("sagemaker")
    target = {**SCALED, "ResourceId": f"endpoint/{shop}/variant/AllTraffic"}

    def size() -> int:
        described = sagemaker.describe_endpoint(EndpointName=shop)
        return int(described["ProductionVariants"][0]["CurrentInstanceCount"])

    def processes() -> set[int]:
        with ThreadPoolExecutor(8) as pool:  # at once, so that each server gets some
            return {answer["pid"] for answer in pool.map(server.invoke, [b"sleep 0.3"] * 8)}

    scaling.register_scalable_target(**target, MinCapacity=2, MaxCapacity=3)
    until(lambda: size() == 2)
    assert len(processes()) == 2
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=1)
    until(lambda: size() == 1)
    assert len(processes()) == 1
    found = until(lambda: _ended(scaling.describe_scaling_activities(ServiceNamespace="sagemaker")))
    assert [activity["Description"] for activity in found] == [
        "Setting desired instance count to 1.",
        "Setting desired instance count to 2.",
    ]
    assert found[1]["Cause"] == "minimum capacity was set to 2"
    scaling.deregister_scalable_target(**target)


@pytest.mark.timeout(900)  # a busy machine answers so slowly that it takes several alarms
def test_load_starts_another_process_by_target_tracking(server: Server, shop: str) -> None:
    """Takes as long as AWS's high-resolution alarm: three periods of ten seconds above the target."""
    scaling, sagemaker = server.client("application-autoscaling"), server.client("sagemaker")
    target = {**SCALED, "ResourceId": f"endpoint/{shop}/variant/AllTraffic"}
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    tracking = {
        "TargetValue": 1.0,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
        },
    }
    put = scaling.put_scaling_policy(
        **target,
        PolicyName="concurrency",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
    )
    names = [alarm["AlarmName"] for alarm in put["Alarms"]]
    alarms = server.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    assert sorted(alarm["Threshold"] for alarm in alarms) == [0.9, 1.0]
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            server.invoke(b"sleep 1")

    def size() -> int:
        described = sagemaker.describe_endpoint(EndpointName=shop)
        return int(described["ProductionVariants"][0]["CurrentInstanceCount"])

    with ThreadPoolExecutor(3) as pool:
        askers = [pool.submit(ask) for _ in range(3)]
        try:
            until(lambda: size() == 2, 600)
        finally:
            stop.set()
    assert [asker.result() for asker in askers] == [None] * 3
    activity = scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"][0]
    assert activity["Cause"] == f"monitor alarm {names[0]} in state ALARM triggered policy concurrency"
    scaling.deregister_scalable_target(**target)
    assert server.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"] == []


def _ended(answer: dict[str, Any]) -> list[dict[str, Any]]:
    activities: list[dict[str, Any]] = answer["ScalingActivities"]
    return activities if all(activity["StatusCode"] == "Successful" for activity in activities) else []


def test_the_registry_tells_its_story_in_events(server: Server) -> None:
    events, sqs, sagemaker = server.client("events"), server.client("sqs"), server.client("sagemaker")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["flowers"], "ModelApprovalStatus": ["Approved"]},
    }
    events.put_rule(Name="approved", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="approved", Targets=[{"Id": "queue", "Arn": arn}])
    sagemaker.create_model_package_group(ModelPackageGroupName="flowers")
    package = sagemaker.create_model_package(
        ModelPackageGroupName="flowers",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://models/better.tar.gz"}],
            "SupportedContentTypes": ["image/jpeg"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )["ModelPackageArn"]
    container = {"ModelPackageName": package, "Environment": {"COLOUR": "blue"}}
    model = {"ModelName": "flower", "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    with pytest.raises(ClientError, match="must be Approved"):
        sagemaker.create_model(**model)
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    sagemaker.create_model(**model)
    message = until(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"))[0]
    event = json.loads(message["Body"])
    assert event["resources"] == [package]
    assert event["detail"]["UpdatedModelPackageFields"] == ["ModelApprovalStatus"]


def test_sagemakers_own_sdk_deploys_a_model(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = sagemaker_sdk(server, monkeypatch)
    shapes = importlib.import_module("sagemaker.core.shapes")
    group = resources.ModelPackageGroup.create(model_package_group_name="sdk")
    # (ModelPackage.create of sagemaker-core 2.27 reads a member no answer of AWS has.)
    arn = server.client("sagemaker").create_model_package(
        ModelPackageGroupName=group.model_package_group_name,
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://models/good.tar.gz"}],
            "SupportedContentTypes": ["image/jpeg"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        ModelApprovalStatus="Approved",
    )["ModelPackageArn"]
    package = resources.ModelPackage.get(model_package_name=arn)
    package.wait_for_status("Completed", poll=1, timeout=30)
    model = resources.Model.create(
        model_name="sdk",
        execution_role_arn=ROLE,
        primary_container=shapes.ContainerDefinition(model_package_name=package.model_package_arn),
    )
    variant = shapes.ProductionVariant(
        variant_name="AllTraffic", model_name="sdk", instance_type="ml.c7i.large", initial_instance_count=1
    )
    config = resources.EndpointConfig.create(endpoint_config_name="sdk", production_variants=[variant])
    endpoint = resources.Endpoint.create(endpoint_name="sdk", endpoint_config_name="sdk")
    endpoint.wait_for_status("InService", poll=1, timeout=150)
    answer = endpoint.invoke(body=b"picture", content_type="image/png")
    assert json.loads(answer.body.read())["model"] == "good"
    assert [found.get_name() for found in resources.Endpoint.get_all(name_contains="sdk")] == ["sdk"]
    endpoint.delete()
    endpoint.wait_for_delete(poll=1, timeout=150)
    config.delete()
    model.delete()
    with pytest.raises(ClientError, match="cannot be deleted"):
        group.delete()
    # (Nor does its ModelPackage.delete work for a package of a group, which has no ModelPackageName.)
    server.client("sagemaker").delete_model_package(ModelPackageName=arn)
    group.delete()


def test_the_aws_cli_reads_and_invokes_an_endpoint(server: Server, shop: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"12345")
    environment = {**os.environ, **server.keys, "AWS_ENDPOINT_URL": server.url}

    def aws(*arguments: str) -> dict[str, Any]:
        command = [str(Path(sys.executable).with_name("aws")), *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, cwd=tmp_path)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    assert aws("sagemaker", "describe-endpoint", "--endpoint-name", shop)["EndpointStatus"] == "InService"
    sent = ("--body", "fileb://in", "out")
    answer = aws("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", shop, *sent)
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert json.loads((tmp_path / "out").read_text())["bytes"] == 5


def test_endpoints_come_back_by_themselves_after_a_kill(server: Server, shop: str) -> None:
    before = server.invoke()
    server.kill()
    until(lambda: not psutil.pid_exists(before["pid"]))
    server.start()
    described = in_service(server, shop)
    after = server.invoke()
    assert after["model"] == before["model"]
    assert after["pid"] != before["pid"]
    assert described["EndpointConfigName"] in ("good", "better")
    assert server.client("sagemaker").describe_model(ModelName="good")["PrimaryContainer"]["Image"] == IMAGE
