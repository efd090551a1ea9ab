"""The steps of a change as they are taken, and what is put back when one fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.deploy.live import image, stack
from cli.deploy.live.instances import NoRoom
from cli.deploy.live.plan import Build, Change, Deploy, Raise, Unscale
from cli.deploy.live.state import Endpoint, Hosting, Image, read_endpoint
from cli.deploy.live.steps import HalfWay, carry_out
from cli.errors import CdkFailed
from cli.target import Target
from tests.unit.cli.conftest import client_error

BASELINE = Path(__file__).parents[4] / "infrastructure" / "baselines"
ENDPOINT = Endpoint(Hosting.INSTANCES, "main", "ml.c7i.large", 1)
TEMPLATE = {
    "Parameters": {"ChampionParameter": {}},
    "Resources": {
        "Endpoint": {"Type": "AWS::SageMaker::Endpoint"},
        "Target": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "DependsOn": ["Endpoint"]},
        "Policy": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {"ScalingTargetId": {"Ref": "Target"}},
        },
        "Wakes": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmActions": [{"Ref": "Policy"}]}},
        "Errors": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Threshold": 5}},
    },
    "Outputs": {"Champion": {"Value": {"Ref": "ChampionParameter"}}, "Wake": {"Value": {"Ref": "Policy"}}},
}


class Aws:
    """CloudFormation with a Serving stack, SageMaker with its endpoint, and auto scaling, all in one."""

    def __init__(self, instances: int = 1) -> None:
        self.template: dict[str, Any] = TEMPLATE
        self.done: list[str] = []
        self.instances = instances
        self.bounds = (1, 2)
        self.refuses_updates = False
        self.quota = 4
        self.parameters = {"/classifier/size": "small"}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        ssm = {"ParameterKey": "P", "ParameterValue": "/classifier/size", "ResolvedValue": "small"}
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": [ssm]}]}

    def get_parameter(self, Name: str) -> dict[str, Any]:
        return {"Parameter": {"Value": self.parameters[Name]}}

    def put_parameter(self, Name: str, Value: str, Type: str, Overwrite: bool) -> None:
        self.parameters[Name] = Value

    def get_template(self, StackName: str, TemplateStage: str) -> dict[str, Any]:
        return {"TemplateBody": self.template}

    def update_stack(self, TemplateBody: str, Parameters: list[dict[str, Any]], **_: Any) -> None:
        assert Parameters == [{"ParameterKey": "P", "UsePreviousValue": True}]
        if self.refuses_updates:
            raise client_error("AccessDenied", "not you")
        self.template = json.loads(TemplateBody)
        self.done.append("update")

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        variant = {"VariantName": "main", "DesiredInstanceCount": self.instances}
        return {"EndpointStatus": "InService", "ProductionVariants": [variant], "EndpointConfigName": "c"}

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:
        return {"ProductionVariants": [{"ModelName": "m", "InstanceType": "ml.c7i.large"}]}

    def update_endpoint_weights_and_capacities(
        self, EndpointName: str, DesiredWeightsAndCapacities: list[dict[str, Any]]
    ) -> None:
        (wanted,) = DesiredWeightsAndCapacities
        if wanted["DesiredInstanceCount"] > self.quota:
            raise client_error("ResourceLimitExceeded", "the limit is 4")
        self.instances = wanted["DesiredInstanceCount"]
        self.done.append(f"raised to {self.instances}")

    def describe_scalable_targets(self, ServiceNamespace: str, ResourceIds: list[str]) -> dict[str, Any]:
        assert ResourceIds == ["endpoint/classifier/variant/main"]
        return {"ScalableTargets": [{"MinCapacity": self.bounds[0], "MaxCapacity": self.bounds[1]}]}

    def register_scalable_target(self, MinCapacity: int, MaxCapacity: int, **_: Any) -> None:
        self.bounds = (MinCapacity, MaxCapacity)


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def there(target: Callable[..., Target], aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return target(cloudformation=aws, sagemaker=aws, application_autoscaling=aws, ssm=aws)


def take(there: Target, *steps: Any, deploy: Callable[[tuple[str, ...]], None]) -> None:
    carry_out(there, Change(steps), deploy, lambda what: None)


def fails(stacks: tuple[str, ...]) -> None:
    raise CdkFailed("the template is wrong")


def test_auto_scaling_is_off_while_the_deployment_runs(there: Target, aws: Aws) -> None:
    seen: list[list[str]] = []
    take(there, Unscale(), Deploy(), deploy=lambda stacks: seen.append(list(aws.template["Resources"])))
    assert seen == [["Endpoint", "Errors"]]
    assert aws.done == ["update"], "what the deployment brings back is not brought back twice"


def test_a_deployment_that_fails_has_auto_scaling_put_back(there: Target, aws: Aws) -> None:
    def changes_and_fails(stacks: tuple[str, ...]) -> None:
        aws.parameters["/classifier/size"] = "large"
        fails(stacks)

    with pytest.raises(CdkFailed):
        take(there, Unscale(), Deploy(), deploy=changes_and_fails)
    assert aws.template == TEMPLATE
    assert aws.parameters == {"/classifier/size": "small"}, "the stack reads it anew at every update"


def test_what_cannot_be_put_back_is_said_with_the_first_reason(there: Target, aws: Aws) -> None:
    def breaks(stacks: tuple[str, ...]) -> None:
        aws.refuses_updates = True
        fails(stacks)

    with pytest.raises(HalfWay, match=r"(?s)template is wrong.*not you.*classifier up"):
        take(there, Unscale(), Deploy(), deploy=breaks)


def test_instances_are_there_and_kept_before_the_deployment(there: Target, aws: Aws) -> None:
    seen: list[tuple[int, tuple[int, int]]] = []
    take(there, Raise(ENDPOINT, 4), Deploy(), deploy=lambda stacks: seen.append((aws.instances, aws.bounds)))
    assert seen == [(4, (4, 4))]


def test_a_deployment_that_fails_leaves_auto_scaling_its_old_bounds(there: Target, aws: Aws) -> None:
    with pytest.raises(CdkFailed):
        take(there, Raise(ENDPOINT, 2), Deploy(), deploy=fails)
    assert aws.bounds == (1, 2)


def test_instances_that_aws_refuses_stop_the_change_before_it_begins(there: Target, aws: Aws) -> None:
    deployed: list[tuple[str, ...]] = []
    with pytest.raises(NoRoom, match="the limit is 4"):
        take(there, Raise(ENDPOINT, 5), Deploy(), deploy=deployed.append)
    assert (deployed, aws.bounds, aws.instances) == ([], (1, 2), 1)


def test_an_image_is_built_by_the_training_stack_alone(there: Target) -> None:
    deployed: list[tuple[str, ...]] = []
    take(there, Build(Image.CPU), Deploy(), deploy=deployed.append)
    assert deployed == [("classifier-training",), ()]


def test_the_endpoint_s_type_is_that_of_the_configuration_it_has(there: Target) -> None:
    assert read_endpoint(there) == ENDPOINT


def test_what_refers_to_something_left_out_is_left_out_with_it() -> None:
    left = stack.without(TEMPLATE, stack.SCALING)
    assert set(left["Resources"]) == {"Endpoint", "Errors"}
    assert set(left["Outputs"]) == {"Champion"}
    assert set(stack.without(TEMPLATE, stack.ENDPOINT)["Resources"]) == {"Errors"}


@pytest.mark.parametrize("sample", ["minimal", "comprehensive"])
def test_without_scaling_the_deployed_template_keeps_all_else(sample: str) -> None:
    template = json.loads((BASELINE / sample / "serving.json").read_text())
    left = stack.without(template, stack.SCALING)["Resources"]
    gone = {each["Type"] for name, each in template["Resources"].items() if name not in left}
    assert gone == set(stack.SCALING)
    assert len(json.dumps(template)) < 51_200, "the API takes no longer body"


def test_a_champion_registered_once_more_keeps_all_but_its_image() -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model-package/classifier/3"
    package = {
        "ModelPackageArn": arn,
        "ModelPackageGroupName": "classifier",
        "ModelApprovalStatus": "Approved",
        "InferenceSpecification": {
            "Containers": [{"Image": "old", "ModelDataUrl": "s3://b/model.tar.gz", "ModelDataETag": "x"}],
            "SupportedContentTypes": ["image/png"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.c7i.large"],
        },
        "Task": "IMAGE_CLASSIFICATION",
        "CustomerMetadataProperties": {"training_job": "t", "image_target": "cpu"},
    }
    request = image.request_of(package, "new", Image.GPU)
    assert request["InferenceSpecification"] == {
        "Containers": [{"Image": "new", "ModelDataUrl": "s3://b/model.tar.gz"}],
        "SupportedContentTypes": ["image/png"],
    }
    assert request["CustomerMetadataProperties"] == {"training_job": "t", "image_target": "gpu"}
    assert request["ModelApprovalStatus"] == "PendingManualApproval"
    assert image.request_of(package, "new", Image.GPU)["ClientToken"] == request["ClientToken"]
    assert image.request_of(package, "newer", Image.GPU)["ClientToken"] != request["ClientToken"]
