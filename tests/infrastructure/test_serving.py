"""The Serving stack: one parameter, a narrow role, and an endpoint that updates without losing a request."""

from __future__ import annotations

from typing import Any

from tests.infrastructure.conftest import Synthesised


def _one(sample: Synthesised, kind: str) -> dict[str, Any]:
    (resource,) = sample.resources(kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def test_champion_and_instance_type_are_read_from_ssm_and_nothing_else_is(sample: Synthesised) -> None:
    parameters = sample.templates["serving"]["Parameters"]
    assert {each["Type"] for each in parameters.values()} == {"AWS::SSM::Parameter::Value<String>"}
    assert {name: each["Default"] for name, each in parameters.items()} == {
        "ChampionParameter": f"/{sample.project}/champion",
        "InstanceTypeParameter": f"/{sample.project}/instance-type",
    }


def test_the_endpoint_runs_on_the_type_that_was_taken(sample: Synthesised) -> None:
    (variant,) = _one(sample, "AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    assert variant["InstanceType"] == {"Ref": "InstanceTypeParameter"}
    assert sample.templates["serving"]["Outputs"]["InstanceType"]["Value"] == variant["InstanceType"]


def test_on_burstable_instances_the_endpoint_does_not_scale(minimal: Synthesised) -> None:
    conditions = minimal.templates["serving"]["Conditions"]
    scaled = minimal.resources(
        "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"
    )
    (condition,) = {each["Condition"] for each in scaled.values()}
    assert {"Fn::Not": [{"Fn::Equals": [{"Ref": "InstanceTypeParameter"}, "ml.t2.medium"]}]} in (
        conditions[condition]["Fn::And"]
    )


def test_a_serverless_endpoint_has_no_instance_type(serverless: Synthesised) -> None:
    assert list(serverless.templates["serving"]["Parameters"]) == ["ChampionParameter"]
    assert not serverless.resources("Custom::InstanceTypeParameter")


def test_the_stack_imports_nothing_so_a_promotion_depends_on_no_other_stack(sample: Synthesised) -> None:
    """But for the name of the bucket that captured answers go to."""
    for resource in sample.templates["serving"]["Resources"].values():
        properties = dict(resource.get("Properties", {}))
        capture = properties.pop("DataCaptureConfig", None)
        assert "Fn::ImportValue" not in str(properties)
        assert capture is None or str(capture).count("Fn::ImportValue") == 1


def test_the_model_is_the_champion_and_knows_its_name(sample: Synthesised) -> None:
    model = _one(sample, "AWS::SageMaker::Model")
    assert model["PrimaryContainer"] == {
        "ModelPackageName": {"Ref": "ChampionParameter"},
        "Environment": {"MODEL_PACKAGE_ARN": {"Ref": "ChampionParameter"}},
    }
    assert model["EnableNetworkIsolation"] is True


def test_only_the_endpoint_has_a_fixed_name(sample: Synthesised) -> None:
    # A replaced endpoint config of the same name would not be picked up.
    assert "ModelName" not in _one(sample, "AWS::SageMaker::Model")
    assert "EndpointConfigName" not in _one(sample, "AWS::SageMaker::EndpointConfig")
    assert _one(sample, "AWS::SageMaker::Endpoint")["EndpointName"] == sample.project


def test_the_generated_names_are_those_the_deploying_role_may_touch(sample: Synthesised) -> None:
    prefix = f"{sample.project.capitalize()}Champion"
    assert all(name.startswith(prefix) for name in sample.templates["serving"]["Resources"])


def test_an_update_keeps_the_number_of_instances_scaling_has_reached(sample: Synthesised) -> None:
    assert _one(sample, "AWS::SageMaker::Endpoint")["RetainAllVariantProperties"] is True


def test_an_update_is_rolled_back_by_the_stacks_own_alarms(sample: Synthesised) -> None:
    deployment = _one(sample, "AWS::SageMaker::Endpoint")["DeploymentConfig"]
    alarms = deployment["AutoRollbackConfiguration"]["Alarms"]
    resources = sample.templates["serving"]["Resources"]
    assert len(alarms) == 3
    for alarm in alarms:
        watched = resources[alarm["AlarmName"]["Ref"]]["Properties"]
        assert watched["Namespace"] == "AWS/SageMaker"
        dimensions = {d["Name"]: d["Value"] for d in watched["Dimensions"]}
        # The new fleet alone: the old one's answers must not take back the release that replaces it.
        (config,) = dimensions.pop("EndpointConfigName")["Fn::GetAtt"][:1]
        assert resources[config]["Type"] == "AWS::SageMaker::EndpointConfig"
        assert dimensions == {"EndpointName": sample.project, "VariantName": "main"}
        # No request must not look like a failing one, or nothing could ever be promoted at night.
        assert watched["TreatMissingData"] == "notBreaching"


def test_a_canary_is_tried_as_soon_as_there_are_two_instances(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    def shifting(sample: Synthesised) -> dict[str, Any]:
        policy = _one(sample, "AWS::SageMaker::Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
        read: dict[str, Any] = policy["TrafficRoutingConfiguration"]
        return read

    assert shifting(minimal) == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    assert shifting(comprehensive) == {
        "Type": "CANARY",
        "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 600,
    }


def test_the_old_model_is_kept_until_the_new_one_is_baked(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    """One instance is baked by the wait before the old one goes, a canary by the wait before the rest."""
    waits = {}
    for sample in (minimal, comprehensive):
        policy = _one(sample, "AWS::SageMaker::Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
        waits[sample.project] = policy["TerminationWaitInSeconds"]
        assert policy["MaximumExecutionTimeoutInSeconds"] > 2 * 600
    assert waits == {minimal.project: 300, comprehensive.project: 0}


def test_scaling_tracks_requests_in_hand_by_the_settings(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    for sample, least, most, target in ((minimal, 1, 2, 2), (comprehensive, 2, 6, 16)):
        scalable = _one(sample, "AWS::ApplicationAutoScaling::ScalableTarget")
        assert (scalable["MinCapacity"], scalable["MaxCapacity"]) == (least, most)
        assert scalable["ResourceId"] == f"endpoint/{sample.project}/variant/main"
        tracking = _one(sample, "AWS::ApplicationAutoScaling::ScalingPolicy")[
            "TargetTrackingScalingPolicyConfiguration"
        ]
        assert tracking["TargetValue"] == target
        assert tracking["PredefinedMetricSpecification"] == {
            "PredefinedMetricType": "SageMakerVariantConcurrentRequestsPerModelHighResolution"
        }


def test_the_flavour_chooses_instance_and_driver(minimal: Synthesised, comprehensive: Synthesised) -> None:
    (cpu,) = _one(minimal, "AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    (gpu,) = _one(comprehensive, "AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    assert cpu["InstanceType"] == {"Ref": "InstanceTypeParameter"}
    assert "InferenceAmiVersion" not in cpu
    assert gpu["InstanceType"] == {"Ref": "InstanceTypeParameter"}
    assert gpu["InferenceAmiVersion"] == "al2023-ami-sagemaker-inference-gpu-4-1"


def test_a_serverless_endpoint_has_no_instance_no_scaling_and_what_aws_takes_of_it(
    serverless: Synthesised,
) -> None:
    (variant,) = _one(serverless, "AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MaxConcurrency": 5, "MemorySizeInMB": 2048}
    assert not {"InstanceType", "InitialInstanceCount", "RoutingConfig"} & set(variant)
    # AWS refuses an isolated model on a serverless endpoint.
    assert "EnableNetworkIsolation" not in _one(serverless, "AWS::SageMaker::Model")
    assert "RetainAllVariantProperties" not in _one(serverless, "AWS::SageMaker::Endpoint")
    assert not serverless.resources("AWS::ApplicationAutoScaling::ScalableTarget")


def test_a_sleeping_endpoint_holds_its_model_as_a_component_on_instances_that_may_all_go(
    sleeper: Synthesised,
) -> None:
    config = _one(sleeper, "AWS::SageMaker::EndpointConfig")
    (variant,) = config["ProductionVariants"]
    assert "ModelName" not in variant
    assert variant["ManagedInstanceScaling"] == {
        "Status": "ENABLED",
        "MinInstanceCount": 0,
        "MaxInstanceCount": 3,
    }
    assert config["EnableNetworkIsolation"] is True
    component = _one(sleeper, "AWS::SageMaker::InferenceComponent")
    assert component["InferenceComponentName"] == sleeper.project
    alarms = component["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert len(alarms) == 3
    for alarm in alarms:
        watched = sleeper.templates["serving"]["Resources"][alarm["AlarmName"]["Ref"]]["Properties"]
        assert watched["Dimensions"] == [{"Name": "InferenceComponentName", "Value": sleeper.project}]


def test_a_sleeping_endpoint_is_woken_by_the_request_that_finds_it_asleep(sleeper: Synthesised) -> None:
    target = _one(sleeper, "AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 3)
    assert target["ScalableDimension"] == "sagemaker:inference-component:DesiredCopyCount"
    policies = {
        policy["Properties"]["PolicyType"]: (name.split("/")[1], policy["Properties"])
        for name, policy in sleeper.resources("AWS::ApplicationAutoScaling::ScalingPolicy").items()
    }
    tracking = policies["TargetTrackingScaling"][1]["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"
    }
    wake, step = policies["StepScaling"]
    assert step["StepScalingPolicyConfiguration"]["StepAdjustments"] == [
        {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}
    ]
    (alarm,) = (
        alarm["Properties"]
        for alarm in sleeper.resources("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["MetricName"] == "NoCapacityInvocationFailures"
    )
    assert alarm["AlarmActions"] == [{"Ref": wake}]
    assert alarm["Dimensions"] == [{"Name": "InferenceComponentName", "Value": sleeper.project}]


def test_the_api_of_a_sleeping_endpoint_may_ask_its_component(sleeper: Synthesised) -> None:
    (function,) = (
        resource["Properties"]["Environment"]["Variables"]
        for name, resource in sleeper.resources("AWS::Lambda::Function").items()
        if name.startswith("api/Classify")
    )
    assert function["INFERENCE_COMPONENT"] == sleeper.project
    (policy,) = (
        str(policy)
        for name, policy in sleeper.resources("AWS::IAM::Policy").items()
        if name.startswith("api/Classify")
    )
    assert f":inference-component/{sleeper.project}" in policy


def test_the_stack_is_deployed_under_its_own_narrow_role(sample: Synthesised) -> None:
    properties = sample.manifest()["artifacts"][f"{sample.project}-serving"]["properties"]
    assert properties["cloudFormationExecutionRoleArn"] == (
        "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/"
        + f"{sample.project}-serving-deployment-${{AWS::Region}}"
    )
    assert "Rules" not in sample.templates["serving"], "the bootstrap rule reads what the role may not"


def test_stacks_are_deployed_in_an_order_in_which_each_finds_what_it_needs(sample: Synthesised) -> None:
    artifacts = sample.manifest()["artifacts"]

    def needs(room: str) -> set[str]:
        dependencies = artifacts[f"{sample.project}-{room}"]["dependencies"]
        return {name.split("-")[1] for name in dependencies if not name.endswith(".assets")}

    assert needs("storage") == set()
    assert needs("training") == {"storage"}
    assert needs("serving") - {"storage"} == {"training"}
    assert needs("api") - {"storage"} == {"training"}
    assert needs("monitoring") == {"serving", "api"}
