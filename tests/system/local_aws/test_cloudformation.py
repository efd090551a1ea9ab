"""CloudFormation: our resource types and CDK's custom resources, by templates and by the real CDK CLI."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from cli.node import node_bin
from local_aws.testing.local_server import ACCOUNT, LocalServer
from tests.system.conftest import REPOSITORY

APP = Path(__file__).parent / "throwaway_app"
CDK = REPOSITORY / ".local/cdk/node_modules/.bin/cdk"
FAST = {"Delay": 1, "MaxAttempts": 120}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    made = LocalServer(tmp_path_factory.mktemp("server") / "state").start()
    yield made
    made.end()


def template(resources: dict[str, Any], **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


def create(server: LocalServer, name: str, body: str, **options: Any) -> dict[str, Any]:
    """Create a stack; the stack when it is complete."""
    client = server.client("cloudformation")
    client.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"], **options)
    client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=FAST)
    return dict(client.describe_stacks(StackName=name)["Stacks"][0])


def update(server: LocalServer, name: str, body: str, **options: Any) -> dict[str, Any]:
    client = server.client("cloudformation")
    client.update_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"], **options)
    client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=FAST)
    return dict(client.describe_stacks(StackName=name)["Stacks"][0])


def destroy(server: LocalServer, name: str) -> None:
    client = server.client("cloudformation")
    stack_id = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    client.delete_stack(StackName=name)
    client.get_waiter("stack_delete_complete").wait(StackName=stack_id, WaiterConfig=FAST)


def failure(server: LocalServer, name: str) -> str:
    """Why the last operation of a stack failed: the reason of the first resource that did."""
    events = server.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    return [
        str(event["ResourceStatusReason"])
        for event in events
        if event["ResourceStatus"].endswith("E_FAILED") and event["LogicalResourceId"] != name
    ][-1]


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def until(check: Callable[[], Any], seconds: float = 150) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.2)
    return found


GROUP = "AWS::SageMaker::ModelPackageGroup"


def test_ref_is_the_arn_and_generated_names_tell_where_they_come_from(server: LocalServer) -> None:
    body = template(
        {"Group": {"Type": GROUP, "Properties": {"ModelPackageGroupName": "named"}}},
        Outputs={
            "Ref": {"Value": {"Ref": "Group"}},
            "Arn": {"Value": {"Fn::GetAtt": ["Group", "ModelPackageGroupArn"]}},
            "Status": {"Value": {"Fn::GetAtt": ["Group", "ModelPackageGroupStatus"]}},
        },
    )
    found = outputs(create(server, "naming", body))
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package-group/named"
    assert found == {"Ref": arn, "Arn": arn, "Status": "Completed"}
    destroy(server, "naming")
    assert server.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_an_unknown_property_fails_the_stack_and_names_it(server: LocalServer) -> None:
    body = template({"Group": {"Type": GROUP, "Properties": {"ModelPackageGroupName": "g", "Colour": "red"}}})
    with pytest.raises(WaiterError):
        create(server, "unknown", body)
    assert "extraneous key [Colour]" in failure(server, "unknown")


def test_tags_change_in_place_and_a_changed_description_makes_a_new_group(server: LocalServer) -> None:
    def body(name: str, description: str, tag: str) -> str:
        properties = {
            "ModelPackageGroupName": name,
            "ModelPackageGroupDescription": description,
            "Tags": [{"Key": "a", "Value": tag}],
        }
        return template({"Group": {"Type": GROUP, "Properties": properties}})

    create(server, "change", body("first", "x", "1"))
    sagemaker = server.client("sagemaker")
    made = sagemaker.describe_model_package_group(ModelPackageGroupName="first")
    update(server, "change", body("first", "x", "2"))
    again = sagemaker.describe_model_package_group(ModelPackageGroupName="first")
    assert again["CreationTime"] == made["CreationTime"]
    tags = sagemaker.list_tags(ResourceArn=made["ModelPackageGroupArn"])["Tags"]
    assert {"Key": "a", "Value": "2"} in tags
    update(server, "change", body("second", "y", "2"))
    groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in groups] == ["second"]
    client = server.client("cloudformation")
    client.update_stack(StackName="change", TemplateBody=body("second", "z", "2"))
    with pytest.raises(WaiterError):
        client.get_waiter("stack_update_complete").wait(StackName="change", WaiterConfig=FAST)
    assert "custom-named resource requires replacing" in failure(server, "change")
    destroy(server, "change")


def test_a_stack_says_on_the_event_bus_what_becomes_of_it(server: LocalServer) -> None:
    queue = server.client("sqs").create_queue(QueueName="stack-events")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:stack-events"
    events = server.client("events")
    pattern = {"source": ["aws.cloudformation"], "detail-type": ["CloudFormation Stack Status Change"]}
    events.put_rule(Name="stacks", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="stacks", Targets=[{"Id": "q", "Arn": arn}])
    body = template({"Topic": {"Type": "AWS::SNS::Topic"}})
    stack = create(server, "told", body)
    destroy(server, "told")
    told: list[dict[str, Any]] = []

    def all_there() -> bool:
        answer = server.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        told.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return len(told) >= 4

    until(all_there)
    assert [event["resources"] for event in told] == [[stack["StackId"]]] * 4
    assert {event["detail"]["stack-id"] for event in told} == {stack["StackId"]}
    assert sorted(event["detail"]["status-details"]["status"] for event in told) == sorted(
        ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    )
    events.remove_targets(Rule="stacks", Ids=["q"])
    events.delete_rule(Name="stacks")


PARAMETER_TEMPLATE = template(
    {"Group": {"Type": GROUP, "Condition": "On", "Properties": {"ModelPackageGroupName": {"Ref": "Name"}}}},
    Parameters={"Name": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/test/name"}},
    Conditions={"On": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, "none"]}]}},
)


def test_an_ssm_parameter_is_resolved_anew_by_an_update_and_shown_with_its_value(server: LocalServer) -> None:
    ssm, client = server.client("ssm"), server.client("cloudformation")
    ssm.put_parameter(Name="/test/name", Value="none", Type="String")
    stack = create(server, "parameter", PARAMETER_TEMPLATE)
    shown = {"ParameterKey": "Name", "ParameterValue": "/test/name", "ResolvedValue": "none"}
    assert stack["Parameters"] == [shown]
    again = {
        "StackName": "parameter",
        "UsePreviousTemplate": True,
        "Parameters": [{"ParameterKey": "Name", "UsePreviousValue": True}],
    }
    with pytest.raises(ClientError, match="No updates are to be performed"):
        client.update_stack(**again)
    ssm.put_parameter(Name="/test/name", Value="fresh", Type="String", Overwrite=True)
    client.update_stack(**again)
    client.get_waiter("stack_update_complete").wait(StackName="parameter", WaiterConfig=FAST)
    stack = client.describe_stacks(StackName="parameter")["Stacks"][0]
    assert stack["Parameters"] == [{**shown, "ResolvedValue": "fresh"}]
    server.client("sagemaker").describe_model_package_group(ModelPackageGroupName="fresh")
    destroy(server, "parameter")


def service_role(server: LocalServer, name: str, *actions: str) -> str:
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "cloudformation.amazonaws.com"},
    }
    iam = server.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if actions:
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return str(role)


def test_resources_are_made_with_the_stacks_role_and_no_more(server: LocalServer) -> None:
    body = template({"Group": {"Type": GROUP, "Properties": {"ModelPackageGroupName": "under-role"}}})
    may = ("sagemaker:CreateModelPackageGroup", "sagemaker:AddTags", "sagemaker:DeleteModelPackageGroup")
    without = service_role(server, "without", *may[1:])
    with pytest.raises(WaiterError):
        create(server, "role-without", body, RoleARN=without)
    assert "assumed-role/without/AWSCloudFormation is not authorized to perform: " + may[0] in failure(
        server, "role-without"
    )
    stack = create(server, "role-with", body, RoleARN=(arn := service_role(server, "with", *may)))
    assert stack["RoleARN"] == arn
    destroy(server, "role-with")


def test_an_alarm_under_a_role_needs_the_roles_permission(server: LocalServer) -> None:
    alarm = {
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "MetricName": "m",
        "Namespace": "n",
        "Period": 60,
        "Statistic": "Sum",
        "Threshold": 0,
    }
    body = template({"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}})
    with pytest.raises(WaiterError):
        create(server, "no-alarm", body, RoleARN=service_role(server, "no-alarms", "sagemaker:*"))
    assert "cloudwatch:PutMetricAlarm" in failure(server, "no-alarm")


def test_the_stacks_role_must_be_able_to_read_its_ssm_parameters(server: LocalServer) -> None:
    server.client("ssm").put_parameter(Name="/test/name", Value="none", Type="String", Overwrite=True)
    role = service_role(server, "cannot-read", "sagemaker:*")
    with pytest.raises(ClientError, match=r"ssm:GetParameters.*parameter/test/name"):
        create(server, "cannot-read", PARAMETER_TEMPLATE, RoleARN=role)


def test_a_role_is_handed_to_cloudformation_only_by_who_may_pass_it(server: LocalServer) -> None:
    iam, role = server.client("iam"), service_role(server, "coveted", "*")
    root = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [root]})
    caller = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allowed = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName="deployer", PolicyName="p", PolicyDocument=policy)
    keys = server.client("sts").assume_role(RoleArn=caller, RoleSessionName="test")["Credentials"]
    body = template({"Topic": {"Type": "AWS::SNS::Topic"}})
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {role}"):
        server.client("cloudformation", keys).create_stack(StackName="s", TemplateBody=body, RoleARN=role)


BUCKET = {
    "Type": "AWS::S3::Bucket",
    "Properties": {
        "VersioningConfiguration": {"Status": "Enabled"},
        "Tags": [
            {"Key": "aws-cdk:auto-delete-objects", "Value": "true"},
            {"Key": "aws-cdk:cr-owned:site:1234", "Value": "true"},
        ],
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
            ]
        },
        "LifecycleConfiguration": {
            "Rules": [
                {"Id": "old", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}
            ]
        },
    },
}


def helper_function(policy: list[dict[str, Any]]) -> dict[str, Any]:
    """A Lambda such as CDK makes for its custom resources, and its role. It is never called here."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    document = {"Version": "2012-10-17", "Statement": policy}
    return {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [{"PolicyName": "p", "PolicyDocument": document}],
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {
                    "ZipFile": "def handler(event, context):\n    raise RuntimeError('not to be called')\n"
                },
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
    }


ALL_OF_S3 = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]


def site(keys: list[str], policy: list[dict[str, Any]] | None = None, **properties: Any) -> str:
    return template(
        {
            **helper_function(ALL_OF_S3 if policy is None else policy),
            "Bucket": BUCKET,
            "Empty": {
                "Type": "Custom::S3AutoDeleteObjects",
                "Properties": {
                    "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                    "BucketName": {"Ref": "Bucket"},
                },
            },
            "Files": {
                "Type": "Custom::CDKBucketDeployment",
                "Properties": {
                    "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                    "SourceBucketNames": ["assets"] * len(keys),
                    "SourceObjectKeys": keys,
                    "DestinationBucketName": {"Ref": "Bucket"},
                    "DestinationBucketKeyPrefix": "site",
                    **properties,
                },
            },
        },
        Outputs={"Bucket": {"Value": {"Ref": "Bucket"}}},
    )


def asset(server: LocalServer, key: str, files: dict[str, str]) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    s3 = server.client("s3")
    if "assets" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="assets")
    s3.put_object(Bucket="assets", Key=key, Body=archive.getvalue())
    return key


def contents(server: LocalServer, bucket: str) -> dict[str, str]:
    s3 = server.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys}


def test_a_bucket_deployment_puts_replaces_and_prunes_files_and_auto_delete_empties_the_bucket(
    server: LocalServer,
) -> None:
    first = asset(server, "first.zip", {"index.html": "to <<token>>", "deep/a.css": "a"})
    second = asset(server, "second.zip", {"index.html": "new", "b.json": "{}"})
    marked = site([first], SourceMarkers=[{"<<token>>": {"Ref": "AWS::Region"}}])
    bucket = outputs(create(server, "site", marked))["Bucket"]
    assert contents(server, bucket) == {"site/index.html": "to us-east-1", "site/deep/a.css": "a"}
    s3 = server.client("s3")
    assert s3.head_object(Bucket=bucket, Key="site/index.html")["ContentType"] == "text/html"
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    rule = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    assert (rule["ID"], rule["NoncurrentVersionExpiration"]) == ("old", {"NoncurrentDays": 7})

    s3.put_object(Bucket=bucket, Key="elsewhere", Body=b"kept")
    s3.put_object(Bucket=bucket, Key="site/by-hand", Body=b"pruned")
    update(server, "site", site([second]))
    assert contents(server, bucket) == {"elsewhere": "kept", "site/index.html": "new", "site/b.json": "{}"}

    s3.put_object(Bucket=bucket, Key="site/by-hand", Body=b"kept")
    update(server, "site", site([first], Prune=False))
    assert contents(server, bucket)["site/by-hand"] == "kept"
    assert "site/b.json" in contents(server, bucket)

    s3.delete_object(Bucket=bucket, Key="elsewhere")  # leaves a delete marker, which has to go too
    destroy(server, "site")
    assert bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]
    assert not (server.state / "s3" / ACCOUNT / bucket).exists()


def test_a_bucket_deployment_may_do_only_what_its_lambda_may(server: LocalServer) -> None:
    only_read = [{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}]
    with pytest.raises(WaiterError):
        create(server, "read-only", site([asset(server, "x.zip", {"a": "b"})], policy=only_read))
    assert "PutObject" in failure(server, "read-only")


def test_a_bucket_with_objects_is_not_deleted_with_its_stack(server: LocalServer) -> None:
    body = template({"Bucket": {"Type": "AWS::S3::Bucket"}}, Outputs={"Bucket": {"Value": {"Ref": "Bucket"}}})
    bucket = outputs(create(server, "full", body))["Bucket"]
    server.client("s3").put_object(Bucket=bucket, Key="x", Body=b"1")
    with pytest.raises(WaiterError):
        destroy(server, "full")
    assert "not empty" in failure(server, "full")
    server.client("s3").delete_object(Bucket=bucket, Key="x")
    destroy(server, "full")


# -- the real CDK CLI


@pytest.fixture(scope="module")
def cdk(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run the CDK CLI on the throw-away app."""
    if not CDK.exists():
        pytest.skip("the CDK CLI is not installed; run `make install`")
    work = tmp_path_factory.mktemp("cdk")
    shutil.copytree(APP, work / "app")
    node = node_bin()
    environment = {
        **server.environment,
        "PATH": os.pathsep.join([str(node), str(REPOSITORY / ".venv/bin"), os.environ["PATH"]]),
        "HOME": str(work),
        "PYTHONPATH": "",
        "FUNCTIONS": str(REPOSITORY / "lambda"),
    }

    def run(*arguments: str) -> str:
        command = [str(CDK), *arguments, "--output", str(work / "out")]
        done = subprocess.run(
            command, cwd=work / "app", env=environment, capture_output=True, text=True, timeout=280
        )
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(arguments)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout + done.stderr

    run("bootstrap", f"aws://{ACCOUNT}/us-east-1")
    return run


def invoke(server: LocalServer) -> str:
    answer = server.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="throwaway", ContentType="text/plain", Body=b"world"
    )
    return str(answer["Body"].read().decode())


@pytest.mark.timeout(600)
def test_a_cdk_app_is_deployed_updated_and_destroyed_and_leaves_nothing(
    server: LocalServer, cdk: Callable[..., str]
) -> None:
    sagemaker, cloudformation = server.client("sagemaker"), server.client("cloudformation")
    before = everything(server)
    cdk("deploy", "--all", "--require-approval", "never")
    assert invoke(server) == "hey world"
    bucket = outputs(cloudformation.describe_stacks(StackName="throwaway-ground")["Stacks"][0])["BucketName"]
    assert contents(server, bucket)["files/made.json"] == json.dumps(
        {"bucket": bucket}, separators=(",", ":")
    )

    server.client("ssm").put_parameter(Name="/throwaway/greeting", Value="yo ", Overwrite=True)
    names = {model["ModelName"] for model in sagemaker.list_models()["Models"]}
    promote(server)
    assert invoke(server) == "yo world"
    now = {model["ModelName"] for model in sagemaker.list_models()["Models"]}
    assert len(now) == 1
    assert not now & names, "the old model is gone, a new one has come"

    cdk("destroy", "--all", "--force")
    assert everything(server) == before
    assert list((server.state / "local_aws" / "images").iterdir()) == []


def promote(server: LocalServer) -> None:
    """The serving stack again, with the parameter's value of now."""
    client = server.client("cloudformation")
    stack = client.describe_stacks(StackName="throwaway-serving")["Stacks"][0]
    key = stack["Parameters"][0]["ParameterKey"]
    client.update_stack(
        StackName="throwaway-serving",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": key, "UsePreviousValue": True}],
    )
    client.get_waiter("stack_update_complete").wait(StackName="throwaway-serving", WaiterConfig=FAST)


def everything(server: LocalServer) -> dict[str, list[str]]:
    """The names of all that the throw-away app makes."""
    sagemaker = server.client("sagemaker")
    return {
        "buckets": [found["Name"] for found in server.client("s3").list_buckets()["Buckets"]],
        "roles": sorted(found["RoleName"] for found in server.client("iam").list_roles()["Roles"]),
        "functions": [
            found["FunctionName"] for found in server.client("lambda").list_functions()["Functions"]
        ],
        "repositories": [
            found["repositoryName"] for found in server.client("ecr").describe_repositories()["repositories"]
        ],
        "models": [found["ModelName"] for found in sagemaker.list_models()["Models"]],
        "configs": [
            found["EndpointConfigName"] for found in sagemaker.list_endpoint_configs()["EndpointConfigs"]
        ],
        "endpoints": [found["EndpointName"] for found in sagemaker.list_endpoints()["Endpoints"]],
        "groups": [
            found["ModelPackageGroupName"]
            for found in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        ],
        "alarms": [
            found["AlarmName"] for found in server.client("cloudwatch").describe_alarms()["MetricAlarms"]
        ],
        "targets": [
            found["ResourceId"]
            for found in server.client("application-autoscaling").describe_scalable_targets(
                ServiceNamespace="sagemaker"
            )["ScalableTargets"]
        ],
        "projects": server.client("codebuild").list_projects()["projects"],
        "policies": server.client("iam").list_role_policies(
            RoleName=f"cdk-hnb659fds-deploy-role-{ACCOUNT}-us-east-1"
        )["PolicyNames"],
    }
