"""The server process: starting, refusing to start, stopping, and coming back after `kill -9`."""

from __future__ import annotations

import io
import json
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from local_aws.testing.local_server import ACCOUNT, LocalServer

LAMBDA_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    made = LocalServer(tmp_path / "state")
    yield made
    made.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """One server for all tests that neither stop nor kill it."""
    made = LocalServer(tmp_path_factory.mktemp("server") / "state").start()
    yield made
    made.end()


def refused(server: LocalServer) -> str:
    """Launch a server that must not start; its one line."""
    process = server.launch()
    assert process.wait(timeout=150) != 0
    lines = server.log().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def until(check: Callable[[], Any], seconds: float = 150) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.2)
    return found


def make_function(server: LocalServer, name: str, source: str) -> str:
    """A Lambda function with a role of its own, which may log; its ARN."""
    iam = server.client("iam")
    role = iam.create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument=LAMBDA_TRUST)
    may_log = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName=f"{name}-role", PolicyArn=may_log)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("index.py", source)
    made = server.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    return str(made["FunctionArn"])


def invoke(server: LocalServer, name: str) -> Any:
    answer = server.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    return json.loads(answer["Payload"].read())


def test_a_taken_port_is_one_clear_line_and_a_failure(server: LocalServer) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        line = refused(server)
    assert f"port {server.port} of 127.0.0.1 is already in use" in line
    assert "--port" in line


def test_a_state_folder_that_is_none_is_one_clear_line_and_a_failure(server: LocalServer) -> None:
    server.state.write_text("a file")
    assert f"the state folder {server.state} cannot be used" in refused(server)


def test_two_servers_never_share_one_state_folder(running: LocalServer) -> None:
    second = LocalServer(running.state)
    process = subprocess.run(
        second.command(), env=second.server_environment(), capture_output=True, text=True, timeout=150
    )
    assert process.returncode != 0
    assert running.process is not None
    assert f"in use by another server (process {running.process.pid})" in process.stderr


ASKS_BACK = """
import os, urllib.request, boto3

def handler(event, context):
    urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_ministack/health").close()
    return boto3.client("sts").get_caller_identity()["Arn"]
"""


def test_under_a_proxy_it_and_its_functions_reach_it_directly(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.start()
    make_function(server, "asks", ASKS_BACK)
    assert "asks-role" in invoke(server, "asks")


def test_a_server_whose_state_is_taken_away_ends(server: LocalServer) -> None:
    server.start()
    make_function(server, "asks", ASKS_BACK)
    invoke(server, "asks")
    children = server.children()
    assert server.process is not None
    while server.state.exists():  # a file written meanwhile keeps its folder
        shutil.rmtree(server.state, ignore_errors=True)
    assert server.process.wait(timeout=60) == 1
    assert "was taken away" in server.log()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert not server.state.exists()


def test_no_file_of_the_state_is_for_others_to_read(running: LocalServer) -> None:
    running.client("s3").create_bucket(Bucket="private")
    running.client("s3").put_object(Bucket="private", Key="a", Body=b"secret")
    modes = {path: path.stat().st_mode & 0o077 for path in (running.state, *running.state.rglob("*"))}
    assert {path: mode for path, mode in modes.items() if mode} == {}


def test_it_answers_on_loopback_only(running: LocalServer) -> None:
    assert running.process is not None
    listening = [
        connection.laddr.ip
        for process in [psutil.Process(running.process.pid), *running.children()]
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_a_stop_leaves_no_child_behind(server: LocalServer) -> None:
    server.start()
    make_function(server, "hello", "def handler(event, context):\n    return 'hello'\n")
    assert invoke(server, "hello") == "hello"
    children = server.children()
    assert children, "the Lambda worker should be running"
    assert server.stop() == 0
    assert [
        child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    ] == []


def test_kill_9_loses_nothing_that_was_answered(server: LocalServer) -> None:
    server.start()
    s3 = server.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    for body in (b"one", b"two"):
        s3.put_object(Bucket="kept", Key="x", Body=body, ContentType="text/plain")
    arn = make_function(server, "hello", "def handler(event, context):\n    return 'hello'\n")
    server.client("ssm").put_parameter(Name="/a/b", Value="none", Type="String")
    events = server.client("events")
    events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    server.client("sqs").create_queue(QueueName="queue")
    api = server.client("apigateway").create_rest_api(name="api")["id"]
    server.client("logs").create_log_group(logGroupName="/a/log")
    server.client("sagemaker").create_model_package_group(ModelPackageGroupName="group")
    template = {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "topic"}}}}
    cloudformation = server.client("cloudformation")
    cloudformation.create_stack(StackName="stack", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="stack", WaiterConfig={"Delay": 1})

    server.kill()
    server.start()

    versions = s3.list_object_versions(Bucket="kept")["Versions"]
    bodies = [
        s3.get_object(Bucket="kept", Key="x", VersionId=version["VersionId"])["Body"].read()
        for version in versions
    ]
    assert bodies == [b"two", b"one"]
    assert s3.get_bucket_tagging(Bucket="kept")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert invoke(server, "hello") == "hello"
    assert server.client("ssm").get_parameter(Name="/a/b")["Parameter"]["Value"] == "none"
    assert [target["Arn"] for target in events.list_targets_by_rule(Rule="rule")["Targets"]] == [arn]
    assert server.client("sqs").get_queue_url(QueueName="queue")["QueueUrl"].endswith("/queue")
    assert [found["id"] for found in server.client("apigateway").get_rest_apis()["items"]] == [api]
    assert server.client("logs").describe_log_groups()["logGroups"][0]["logGroupName"] == "/a/log"
    groups = server.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in groups] == ["group"]
    stack = cloudformation.describe_stacks(StackName="stack")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    cloudformation.delete_stack(StackName="stack")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=stack["StackId"], WaiterConfig={"Delay": 1}
    )
    assert server.client("sns").list_topics()["Topics"] == []


def test_versioned_objects_are_kept_on_disk_and_not_in_memory(server: LocalServer) -> None:
    s3 = server.start().client("s3")
    s3.create_bucket(Bucket="large")
    s3.put_bucket_versioning(Bucket="large", VersioningConfiguration={"Status": "Enabled"})
    assert server.process is not None
    memory = psutil.Process(server.process.pid).memory_info
    bodies = [bytes([number]) * 4_000_000 for number in range(60)]
    s3.put_object(Bucket="large", Key="first", Body=bodies[0])
    before = memory().rss
    written = [
        s3.put_object(Bucket="large", Key=f"{number % 30}", Body=body)["VersionId"]
        for number, body in enumerate(bodies)
    ]
    assert memory().rss - before < sum(map(len, bodies)) / 2
    for number, (version, body) in enumerate(zip(written, bodies, strict=True)):
        kept = s3.get_object(Bucket="large", Key=f"{number % 30}", VersionId=version)["Body"].read()
        assert kept == body
    s3.delete_object(Bucket="large", Key="0", VersionId=written[30])
    assert s3.get_object(Bucket="large", Key="0")["Body"].read() == bodies[0]


def test_an_event_whose_function_fails_is_retried_and_then_kept_in_its_dead_letter_queue(
    running: LocalServer,
) -> None:
    queue = running.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    arn = make_function(running, "fails", "def handler(event, context):\n    raise RuntimeError('no')\n")
    dead = {"TargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"}
    running.client("lambda").update_function_configuration(FunctionName="fails", DeadLetterConfig=dead)
    events = running.client("events")
    events.put_rule(Name="fails", EventPattern=json.dumps({"source": ["test"]}))
    events.put_targets(Rule="fails", Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": '{"n": 1}'}])
    receive = running.client("sqs").receive_message
    letter = until(lambda: receive(QueueUrl=queue).get("Messages"))[0]
    assert '"n": 1' in letter["Body"]
    group = running.client("logs").filter_log_events(logGroupName="/aws/lambda/fails")["events"]
    assert sum("START RequestId" in event["message"] for event in group) == 3


def test_log_events_are_filtered_by_the_prefix_of_their_stream(running: LocalServer) -> None:
    logs = running.client("logs")
    logs.create_log_group(logGroupName="group")
    for stream in ("run-1/a", "run-2/a"):
        logs.create_log_stream(logGroupName="group", logStreamName=stream)
        line = {"timestamp": int(time.time() * 1000), "message": f"of {stream}"}
        logs.put_log_events(logGroupName="group", logStreamName=stream, logEvents=[line])

    def found(prefix: str) -> list[str]:
        answer = logs.filter_log_events(logGroupName="group", logStreamNamePrefix=prefix)
        return [event["message"] for event in answer["events"]]

    assert found("run-1/") == ["of run-1/a"]
    assert found("run-3/") == []


# Answers CloudFormation at once, except for an update to `Wait: yes`, which takes for ever.
SLOW_RESOURCE = """
import json, time, urllib.request

def handler(event, context):
    if event["RequestType"] != "Delete" and event["ResourceProperties"].get("Wait") == "yes":
        time.sleep(600)
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer.update(Status="SUCCESS", PhysicalResourceId="slow")
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request)
"""


def slow_template(wait: str, groups: tuple[str, ...], function: str) -> str:
    resources: dict[str, Any] = {
        name: {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": {"ModelPackageGroupName": name}}
        for name in groups
    }
    resources["Slow"] = {
        "Type": "Custom::Slow",
        "DependsOn": list(groups),
        "Properties": {"ServiceToken": function, "Wait": wait},
    }
    return json.dumps({"Resources": resources})


def busy(server: LocalServer, stack: str) -> bool:
    """Whether the slow resource is being made, and that is on disk."""
    events = server.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    started = events[0]["LogicalResourceId"] == "Slow"
    saved = server.state / "ministack" / "cloudformation.json"
    return started and saved.exists() and events[0]["EventId"] in saved.read_text()


def test_a_stack_that_is_soon_made_is_made_when_the_request_is_answered(server: LocalServer) -> None:
    server.start()
    cloudformation, logs = server.client("cloudformation"), server.client("logs")

    def template(*names: str) -> str:
        groups = {
            name: {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}} for name in names
        }
        return json.dumps({"Resources": groups})

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName="stack")["Stacks"][0]["StackStatus"])

    cloudformation.create_stack(StackName="stack", TemplateBody=template("a"))
    assert status() == "CREATE_COMPLETE"
    cloudformation.update_stack(StackName="stack", TemplateBody=template("a", "b"))
    assert status() == "UPDATE_COMPLETE"
    cloudformation.create_change_set(
        StackName="stack", ChangeSetName="change", TemplateBody=template("a", "b", "c")
    )
    cloudformation.get_waiter("change_set_create_complete").wait(
        StackName="stack", ChangeSetName="change", WaiterConfig={"Delay": 1}
    )
    cloudformation.execute_change_set(StackName="stack", ChangeSetName="change")
    assert status() == "UPDATE_COMPLETE"
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["a", "b", "c"]
    cloudformation.delete_stack(StackName="stack")
    assert logs.describe_log_groups()["logGroups"] == []


def test_a_request_is_answered_while_what_it_began_goes_on(server: LocalServer) -> None:
    server.start()
    function = make_function(server, "slow", SLOW_RESOURCE)
    cloudformation = server.client("cloudformation")
    cloudformation.create_stack(StackName="stack", TemplateBody=slow_template("yes", (), function))
    stack = cloudformation.describe_stacks(StackName="stack")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_IN_PROGRESS"


def test_a_request_whose_operation_goes_on_is_answered_when_the_server_is_told_to_stop(
    server: LocalServer,
) -> None:
    server.start()
    function = make_function(server, "slow", SLOW_RESOURCE)
    cloudformation = server.client("cloudformation")
    slow = slow_template("yes", (), function)
    with ThreadPoolExecutor(1) as beside:
        made = beside.submit(cloudformation.create_stack, StackName="stack", TemplateBody=slow)
        until(lambda: cloudformation.list_stacks()["StackSummaries"])
        assert server.stop() == 0
        assert made.result()["StackId"]
    assert "Traceback" not in server.log()


def test_a_stack_killed_in_mid_update_is_rolled_back_and_can_be_updated_again(server: LocalServer) -> None:
    server.start()
    function = make_function(server, "slow", SLOW_RESOURCE)
    cloudformation = server.client("cloudformation")
    cloudformation.create_stack(StackName="stack", TemplateBody=slow_template("no", ("g1",), function))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="stack", WaiterConfig={"Delay": 1})
    cloudformation.update_stack(StackName="stack", TemplateBody=slow_template("yes", ("g1", "g2"), function))
    until(lambda: busy(server, "stack"))

    server.kill()
    server.start()

    status = until(
        lambda: (
            (found := cloudformation.describe_stacks(StackName="stack")["Stacks"][0]["StackStatus"])
            and not found.endswith("IN_PROGRESS")
            and found
        )
    )
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    groups = server.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in groups] == ["g1"]
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in cloudformation.describe_stack_events(StackName="stack")["StackEvents"]
    ]
    assert any("local AWS was stopped" in reason for reason in reasons)
    cloudformation.update_stack(StackName="stack", TemplateBody=slow_template("no", ("g1", "g3"), function))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="stack", WaiterConfig={"Delay": 1})
    cloudformation.delete_stack(StackName="stack")
    until(lambda: not server.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"])


def test_a_stack_killed_in_mid_creation_is_rolled_back_and_can_be_made_again(server: LocalServer) -> None:
    server.start()
    function = make_function(server, "slow", SLOW_RESOURCE)
    cloudformation = server.client("cloudformation")
    cloudformation.create_stack(StackName="stack", TemplateBody=slow_template("yes", ("g1",), function))
    until(lambda: busy(server, "stack"))

    server.kill()
    server.start()

    until(
        lambda: (
            cloudformation.describe_stacks(StackName="stack")["Stacks"][0]["StackStatus"]
            == "ROLLBACK_COMPLETE"
        )
    )
    assert server.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    cloudformation.create_stack(StackName="stack", TemplateBody=slow_template("no", ("g1",), function))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="stack", WaiterConfig={"Delay": 1})


def test_a_resource_made_a_moment_before_the_kill_is_not_left_over(server: LocalServer) -> None:
    server.start()
    function = make_function(server, "slow", SLOW_RESOURCE)
    cloudformation, sagemaker = server.client("cloudformation"), server.client("sagemaker")
    time.sleep(2)  # the function is on disk, the stack below is not
    slow = slow_template("yes", ("g1", "g2"), function)
    with ThreadPoolExecutor(1) as beside:
        beside.submit(cloudformation.create_stack, StackName="stack", TemplateBody=slow)
        deadline = time.monotonic() + 150
        while not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
            assert time.monotonic() < deadline

        server.kill()
    server.start()

    until(lambda: not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"])
    stacks = cloudformation.describe_stacks()["Stacks"]
    assert [stack["StackStatus"] for stack in stacks if not stack["StackStatus"].startswith("ROLLBACK")] == []
    until(
        lambda: (
            not any(s["StackStatus"].endswith("PROGRESS") for s in cloudformation.describe_stacks()["Stacks"])
        )
    )
    cloudformation.create_stack(StackName="stack", TemplateBody=slow_template("no", ("g1", "g2"), function))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="stack", WaiterConfig={"Delay": 1})


def test_a_stop_in_the_middle_of_a_stack_operation_does_not_wait_for_it(server: LocalServer) -> None:
    server.start()
    function = make_function(server, "slow", SLOW_RESOURCE)
    cloudformation = server.client("cloudformation")
    cloudformation.create_stack(StackName="stack", TemplateBody=slow_template("yes", ("g1",), function))
    until(lambda: busy(server, "stack"))
    children = server.children()

    assert server.stop() == 0

    assert [
        child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    ] == []
    server.start()
    until(
        lambda: (
            cloudformation.describe_stacks(StackName="stack")["Stacks"][0]["StackStatus"]
            == "ROLLBACK_COMPLETE"
        )
    )
    assert server.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def trusting(*services: str) -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": list(services)}}
    root = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement, root] if services else [root]})


def caller(server: LocalServer, name: str, *statements: dict[str, Any]) -> dict[str, str]:
    """Credentials of a new role which may do what the statements say."""
    iam = server.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting())["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    answer = server.client("sts").assume_role(RoleArn=role, RoleSessionName="test")
    return dict(answer["Credentials"])


def allow(action: str, resource: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": action,
        "Resource": resource,
        **({"Condition": condition} if condition else {}),
    }


def group_arn(name: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/{name}"


def test_a_policy_on_one_arn_allows_that_one_and_denies_the_next(running: LocalServer) -> None:
    keys = caller(running, "narrow", allow("sagemaker:CreateModelPackageGroup", group_arn("mine")))
    sagemaker = running.client("sagemaker", keys)
    sagemaker.create_model_package_group(ModelPackageGroupName="mine")
    with pytest.raises(ClientError) as refusal:
        sagemaker.create_model_package_group(ModelPackageGroupName="other")
    error = refusal.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert (
        "assumed-role/narrow/test is not authorized to perform: sagemaker:CreateModelPackageGroup"
        in error["Message"]
    )
    assert group_arn("other") in error["Message"]
    with pytest.raises(ClientError, match="application-autoscaling:DescribeScalableTargets"):
        running.client("application-autoscaling", keys).describe_scalable_targets(
            ServiceNamespace="sagemaker"
        )
    with pytest.raises(ClientError, match="sagemaker:InvokeEndpoint"):
        running.client("sagemaker-runtime", keys).invoke_endpoint(EndpointName="x", Body=b"")


def test_a_policy_on_one_namespace_of_metrics_allows_that_one_and_denies_the_next(
    running: LocalServer,
) -> None:
    one = {"StringEquals": {"cloudwatch:namespace": "Mine"}}
    cloudwatch = running.client(
        "cloudwatch", caller(running, "measuring", allow("cloudwatch:PutMetricData", "*", one))
    )
    cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "m", "Value": 1}])
    with pytest.raises(ClientError, match="cloudwatch:PutMetricData"):
        cloudwatch.put_metric_data(Namespace="Theirs", MetricData=[{"MetricName": "m", "Value": 1}])


def test_a_policy_that_lets_one_managed_policy_be_attached_lets_no_other(running: LocalServer) -> None:
    logs = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
    keys = caller(
        running, "attaching", allow("iam:AttachRolePolicy", "*", {"ArnEquals": {"iam:PolicyARN": logs}})
    )
    trust = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}
    running.client("iam").create_role(RoleName="logger", AssumeRolePolicyDocument=json.dumps(trust))
    iam = running.client("iam", keys)
    iam.attach_role_policy(RoleName="logger", PolicyArn=logs)
    with pytest.raises(ClientError, match="iam:AttachRolePolicy"):
        iam.attach_role_policy(RoleName="logger", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def test_a_bucket_that_is_not_there_is_that_also_for_who_may_do_nothing(running: LocalServer) -> None:
    s3 = running.client("s3", caller(running, "nobody", allow("s3:GetObject", "arn:aws:s3:::mine/*")))
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.get_bucket_tagging(Bucket="gone-for-good")
    running.client("s3").create_bucket(Bucket="theirs")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_bucket_tagging(Bucket="theirs")


def training_job(role: str) -> dict[str, Any]:
    return {
        "TrainingJobName": "job",
        "RoleArn": role,
        "AlgorithmSpecification": {"TrainingImage": "none:latest", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.c7i.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def test_a_role_is_passed_only_by_who_may_pass_it_to_this_service(running: LocalServer) -> None:
    iam = running.client("iam")
    role = iam.create_role(RoleName="job-role", AssumeRolePolicyDocument=trusting("sagemaker.amazonaws.com"))
    arn = role["Role"]["Arn"]
    create = allow("sagemaker:*", "*")

    def attempt(name: str, *statements: dict[str, Any]) -> str:
        keys = caller(running, name, create, *statements)
        with pytest.raises(ClientError) as refusal:
            running.client("sagemaker", keys).create_training_job(**training_job(arn))
        return str(refusal.value)

    denied = f"is not authorized to perform: iam:PassRole on resource: {arn}"
    assert denied in attempt("no-pass")
    to_lambda = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    assert denied in attempt("pass-to-lambda", allow("iam:PassRole", arn, to_lambda))
    to_sagemaker = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    keys = caller(running, "pass", create, allow("iam:PassRole", arn, to_sagemaker))
    with pytest.raises(ClientError, match="the image none:latest"):  # what is looked at after the role
        running.client("sagemaker", keys).create_training_job(**training_job(arn))


def test_a_role_that_does_not_trust_sagemaker_is_refused(running: LocalServer) -> None:
    role = running.client("iam").create_role(
        RoleName="for-lambda", AssumeRolePolicyDocument=trusting("lambda.amazonaws.com")
    )
    with pytest.raises(ClientError, match="Could not assume role"):
        running.client("sagemaker").create_training_job(**training_job(role["Role"]["Arn"]))


def test_a_tls_only_bucket_policy_does_not_shut_out_loopback(running: LocalServer) -> None:
    s3 = running.client("s3")
    s3.create_bucket(Bucket="strict")
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::strict", "arn:aws:s3:::strict/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(
        Bucket="strict", Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls_only]})
    )
    keys = caller(running, "writer", allow("s3:PutObject", "arn:aws:s3:::strict/*"))
    running.client("s3", keys).put_object(Bucket="strict", Key="x", Body=b"1")


def test_the_aws_cli_talks_to_it(running: LocalServer) -> None:
    command = [str(Path(sys.executable).with_name("aws")), "sagemaker"]

    def aws(*arguments: str) -> Any:
        done = subprocess.run(
            [*command, *arguments], env=running.environment, capture_output=True, text=True, timeout=120
        )
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    made = aws("create-model-package-group", "--model-package-group-name", "cli")
    assert made == {"ModelPackageGroupArn": group_arn("cli")}
    assert "Member must satisfy regular expression pattern" in aws(
        "describe-endpoint", "--endpoint-name", "a_b"
    )
    assert "Could not find endpoint" in aws("describe-endpoint", "--endpoint-name", "no")
