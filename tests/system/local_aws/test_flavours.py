"""The endpoint's other flavours as stacks, in the real engine: serverless, and one that sleeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.system.local_aws.test_hosting import ROLE, Server, hosting
from tests.unit.local_aws.hosting_support import until

PATIENCE_SECONDS = 240


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with hosting(tmp_path_factory.mktemp("flavours")) as server:
        yield server


def deploy(server: Server, stack: str, resources: dict[str, Any], *, update: bool = False) -> str:
    """The stack's status when it is at rest."""
    cloudformation = server.client("cloudformation")
    change = cloudformation.update_stack if update else cloudformation.create_stack
    change(StackName=stack, TemplateBody=json.dumps({"Resources": resources}))

    def at_rest() -> str | None:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        status = str(found["StackStatus"])
        return None if status.endswith("IN_PROGRESS") else status

    return str(until(at_rest, PATIENCE_SECONDS))


def removed(server: Server, stack: str) -> None:
    cloudformation = server.client("cloudformation")
    cloudformation.delete_stack(StackName=stack)

    def gone() -> bool:
        try:
            (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        except ClientError:
            return True
        return bool(found["StackStatus"] == "DELETE_COMPLETE")

    until(gone, PATIENCE_SECONDS)


def serverless() -> dict[str, Any]:
    variant = {
        "VariantName": "main",
        "ModelName": "good",
        "InitialVariantWeight": 1,
        "ServerlessConfig": {"MaxConcurrency": 5, "MemorySizeInMB": 2048},
    }
    config = {"ProductionVariants": [variant]}
    name = {"Fn::GetAtt": ["Config", "EndpointConfigName"]}
    return {
        "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": config},
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {"EndpointName": "rare", "EndpointConfigName": name},
        },
    }


def sleeper(model: str = "good") -> dict[str, Any]:
    """What stacks/serving/ hosting.py and scaling.py make, with a metric that is looked at sooner."""
    variant = {
        "VariantName": "main",
        "InstanceType": "ml.c7i.large",
        "InitialInstanceCount": 1,
        "ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 2},
        "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
    }
    needs = {"MinMemoryRequiredInMb": 1024, "NumberOfCpuCoresRequired": 1}
    target = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
        "ResourceId": "inference-component/sleeper",
        "MinCapacity": 0,
        "MaxCapacity": 2,
    }
    steps = {
        "AdjustmentType": "ChangeInCapacity",
        "MetricAggregationType": "Maximum",
        "Cooldown": 60,
        "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
    }
    alarm = {
        "Namespace": "AWS/SageMaker",
        "MetricName": "NoCapacityInvocationFailures",
        "Dimensions": [{"Name": "InferenceComponentName", "Value": "sleeper"}],
        "Statistic": "Sum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [{"Ref": "Wake"}],
    }
    return {
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {
                "ExecutionRoleArn": ROLE,
                "EnableNetworkIsolation": True,
                "ProductionVariants": [variant],
            },
        },
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {
                "EndpointName": "bed",
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
            },
        },
        "Component": {
            "Type": "AWS::SageMaker::InferenceComponent",
            "DependsOn": "Endpoint",
            "Properties": {
                "InferenceComponentName": "sleeper",
                "EndpointName": {"Fn::GetAtt": ["Endpoint", "EndpointName"]},
                "VariantName": "main",
                "Specification": {"ModelName": model, "ComputeResourceRequirements": needs},
                "RuntimeConfig": {"CopyCount": 1},
            },
        },
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "DependsOn": "Component",
            "Properties": target,
        },
        "Wake": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyName": "wake",
                "PolicyType": "StepScaling",
                "ScalingTargetId": {"Ref": "Target"},
                "StepScalingPolicyConfiguration": steps,
            },
        },
        "Asleep": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmName": "asleep", **alarm}},
    }


def test_a_serverless_endpoint_is_deployed_answers_and_goes(server: Server) -> None:
    assert deploy(server, "rare", serverless()) == "CREATE_COMPLETE"
    described = server.client("sagemaker").describe_endpoint(EndpointName="rare")
    (variant,) = described["ProductionVariants"]
    assert variant["CurrentServerlessConfig"]["MaxConcurrency"] == 5
    answer = server.invoke(endpoint="rare")
    assert answer["model"] == "good"
    with pytest.raises(ClientError, match="4194304"):
        server.invoke(bytes(5 * 2**20), "rare")
    removed(server, "rare")
    assert not psutil.pid_exists(answer["pid"])


def test_a_sleeping_endpoint_wakes_by_the_request_that_finds_it_asleep(server: Server) -> None:
    assert deploy(server, "bed", sleeper()) == "CREATE_COMPLETE"
    member = {"InferenceComponentName": "sleeper"}
    first = server.invoke(endpoint="bed", **member)
    assert first["model"] == "good"
    sagemaker = server.client("sagemaker")
    sagemaker.update_inference_component_runtime_config(**member, DesiredRuntimeConfig={"CopyCount": 0})
    until(lambda: not psutil.pid_exists(first["pid"]), PATIENCE_SECONDS)
    with pytest.raises(ClientError, match="has no capacity"):
        server.invoke(endpoint="bed", **member)

    def answer() -> dict[str, Any] | None:
        try:
            return server.invoke(endpoint="bed", **member)
        except ClientError:
            return None

    woken: dict[str, Any] = until(answer, PATIENCE_SECONDS)
    assert woken["model"] == "good"
    # A promotion: another model takes the component over, in place.
    assert deploy(server, "bed", sleeper("better"), update=True) == "UPDATE_COMPLETE"
    assert server.invoke(endpoint="bed", **member)["model"] == "better"
    # One that does not load leaves the old one, and the stack says so.
    assert deploy(server, "bed", sleeper("broken"), update=True) == "UPDATE_ROLLBACK_COMPLETE"
    last = server.invoke(endpoint="bed", **member)
    assert last["model"] == "better"
    removed(server, "bed")
    assert not psutil.pid_exists(last["pid"])


def test_an_api_with_a_firewall_deploys_and_goes(server: Server) -> None:
    visible = {"CloudWatchMetricsEnabled": True, "MetricName": "acl", "SampledRequestsEnabled": False}
    stage = "arn:aws:apigateway:us-east-1::/restapis/abc123/stages/live"
    resources = {
        "Rules": {
            "Type": "AWS::WAFv2::WebACL",
            "Properties": {
                "Name": "acl",
                "Scope": "REGIONAL",
                "DefaultAction": {"Allow": {}},
                "VisibilityConfig": visible,
            },
        },
        "Before": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Properties": {"ResourceArn": stage, "WebACLArn": {"Fn::GetAtt": ["Rules", "Arn"]}},
        },
    }
    assert deploy(server, "wall", resources) == "CREATE_COMPLETE"
    removed(server, "wall")
    assert server.client("wafv2").list_web_acls(Scope="REGIONAL")["WebACLs"] == []
