"""The steps by which `classifier up` changes a live endpoint, on a small stack in the real engine.

tests/system/test_live_changes.py does the same with the project's own stacks, by the command.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.errors import CdkFailed
from cli.live import Change, carry_out
from cli.live.plan import Deploy, Raise, Unscale
from cli.live.state import read_endpoint
from cli.target import Target
from tests.system.local_aws.test_hosting import ROLE, Server, hosting
from tests.unit.local_aws.hosting_support import IMAGE, until

PATIENCE_SECONDS = 400
STACK, OTHER_TYPE = "shop-serving", "ml.c7i.xlarge"


class ServerTarget(Target):
    """A target whose AWS is a server of this test's own."""

    def client(self, service: str, **config: Any) -> Any:
        return self.__dict__["server"].client(service)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with hosting(tmp_path_factory.mktemp("live")) as server:
        server.client("ssm").put_parameter(Name="/shop/champion", Value="good", Type="String")
        deploy(server, template())
        yield server


@pytest.fixture
def target(server: Server) -> Target:
    made = ServerTarget(kind="local", project="shop", root=server.state, home=server.state, port=server.port)
    made.__dict__["server"] = server
    return made


def template(instance_type: str = "ml.c7i.large", least: int = 1) -> dict[str, Any]:
    """What stacks/serving/ makes, without alarms."""
    size = {"Type": "INSTANCE_COUNT", "Value": max(1, least // 2)}
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 1, "CanarySize": size}
    at_once = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    policy = {"TrafficRoutingConfiguration": routing if least > 1 else at_once}
    model = {"Ref": "ChampionParameter"}
    container = {"Image": IMAGE, "ModelDataUrl": {"Fn::Sub": ["s3://models/${m}.tar.gz", {"m": model}]}}
    variant = {
        "VariantName": "main",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": instance_type,
        "InitialInstanceCount": least,
        "InitialVariantWeight": 1,
    }
    scaled = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": "endpoint/shop/variant/main",
        "MinCapacity": least,
        "MaxCapacity": 4,
    }
    tracking = {
        "TargetValue": 1000,
        "PredefinedMetricSpecification": {
            "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
        },
    }
    return {
        "Parameters": {
            "ChampionParameter": {
                "Type": "AWS::SSM::Parameter::Value<String>",
                "Default": "/shop/champion",
            }
        },
        "Resources": {
            "Model": {
                "Type": "AWS::SageMaker::Model",
                "Properties": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container},
            },
            "Config": {
                "Type": "AWS::SageMaker::EndpointConfig",
                "Properties": {"ProductionVariants": [variant]},
            },
            "Endpoint": {
                "Type": "AWS::SageMaker::Endpoint",
                "Properties": {
                    "EndpointName": "shop",
                    "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
                    "RetainAllVariantProperties": True,
                    "DeploymentConfig": {"BlueGreenUpdatePolicy": policy},
                },
            },
            "Target": {
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": scaled,
                "DependsOn": ["Endpoint"],
            },
            "Policy": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {
                    "PolicyName": "in-hand",
                    "PolicyType": "TargetTrackingScaling",
                    "ScalingTargetId": {"Ref": "Target"},
                    "TargetTrackingScalingPolicyConfiguration": tracking,
                },
            },
        },
        "Outputs": {"Champion": {"Value": {"Ref": "ChampionParameter"}}},
    }


def deploy(server: Server, body: dict[str, Any]) -> None:
    """As the CDK would; raises what `cdk.deploy` does."""
    cloudformation = server.client("cloudformation")
    try:
        cloudformation.describe_stacks(StackName=STACK)
        change = cloudformation.update_stack
    except ClientError:
        change = cloudformation.create_stack
    change(StackName=STACK, TemplateBody=json.dumps(body))

    def at_rest() -> str:
        (found,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        status = str(found["StackStatus"])
        return "" if status.endswith("IN_PROGRESS") else status

    status = until(at_rest, PATIENCE_SECONDS)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [
            each["ResourceStatusReason"] for each in events if each["ResourceStatus"].endswith("E_FAILED")
        ]
        raise CdkFailed(f"{status}: {failed}")


@contextmanager
def asked_all_the_time(server: Server) -> Iterator[list[str]]:
    """Callers who ask the endpoint while the block lasts; what went wrong."""
    wrong: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.1):
            try:
                server.invoke()
            except ClientError as error:
                wrong.append(str(error))

    callers = [threading.Thread(target=ask) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        yield wrong
    finally:
        over.set()
        for caller in callers:
            caller.join()


def scaled(server: Server) -> list[tuple[int, int]]:
    found = server.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    return [(each["MinCapacity"], each["MaxCapacity"]) for each in found["ScalableTargets"]]


def test_a_deployment_alone_is_refused_and_leaves_the_endpoint_as_it_was(
    server: Server, target: Target
) -> None:
    before = read_endpoint(target)
    with asked_all_the_time(server) as wrong:
        with pytest.raises(CdkFailed, match=r"ROLLBACK_COMPLETE.*must be deregistered"):
            deploy(server, template(OTHER_TYPE))
        with pytest.raises(CdkFailed, match=r"ROLLBACK_COMPLETE.*50% of the 1 instance"):
            deploy(server, template(least=2))
    assert wrong == []
    assert read_endpoint(target) == before
    assert scaled(server) == [(1, 4)]


def test_by_the_steps_the_type_and_the_instances_change_and_no_request_is_lost(
    server: Server, target: Target
) -> None:
    endpoint = read_endpoint(target)
    assert endpoint is not None
    told: list[str] = []
    with asked_all_the_time(server) as wrong:
        carry_out(
            target,
            Change((Raise(endpoint, 2), Unscale(), Deploy())),
            lambda stacks: deploy(server, template(OTHER_TYPE, least=2)),
            told.append,
        )
    assert wrong == []
    now = read_endpoint(target)
    assert now is not None
    assert (now.instance_type, now.instances) == (OTHER_TYPE, 2)
    assert scaled(server) == [(2, 4)]
    assert "taking auto scaling off" in told


def test_a_step_that_fails_puts_auto_scaling_back(server: Server, target: Target) -> None:
    before, bounds = read_endpoint(target), scaled(server)

    def fails(stacks: tuple[str, ...]) -> None:
        assert scaled(server) == []
        raise CdkFailed("as it was told")

    with pytest.raises(CdkFailed, match="as it was told"):
        carry_out(target, Change((Unscale(), Deploy())), fails, lambda what: None)
    assert read_endpoint(target) == before
    assert scaled(server) == bounds
