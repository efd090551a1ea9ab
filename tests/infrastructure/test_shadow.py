"""A model that is compared before it serves: in the template by setting only, in the stack only meanwhile."""

from __future__ import annotations

import json
from typing import Any

from contract import environment, prices
from tests.infrastructure.conftest import Synthesised
from tests.infrastructure.test_permissions import _allowed
from tests.infrastructure.test_pipeline import _functions, _schedules

NOTHING = {"Ref": "AWS::NoValue"}


def _config(sample: Synthesised) -> dict[str, Any]:
    (config,) = sample.resources("AWS::SageMaker::EndpointConfig").values()
    properties: dict[str, Any] = config["Properties"]
    return properties


def test_without_the_setting_nothing_of_it_is_in_any_template(sample: Synthesised) -> None:
    for room, template in sample.templates.items():
        text = json.dumps(template).lower()
        assert "candidate" not in text, room
        assert "shadow" not in text, room


def test_the_candidate_is_read_from_ssm_and_shadows_only_beside_a_champion(shadow: Synthesised) -> None:
    template = shadow.templates["serving"]
    assert template["Parameters"]["CandidateParameter"]["Type"] == "AWS::SSM::Parameter::Value<String>"
    assert template["Parameters"]["CandidateParameter"]["Default"] == "/careful/candidate"
    assert template["Outputs"]["Candidate"]["Value"] == {"Ref": "CandidateParameter"}
    assert template["Conditions"]["CandidateShadows"] == {
        "Fn::And": [
            {"Condition": "ChampionExists"},
            {"Fn::Not": [{"Fn::Equals": [{"Ref": "CandidateParameter"}, "none"]}]},
        ]
    }


def test_the_shadow_is_a_variant_of_the_same_endpoint_on_the_same_instances(shadow: Synthesised) -> None:
    condition, (variant,), otherwise = _config(shadow)["ShadowProductionVariants"]["Fn::If"]
    assert (condition, otherwise) == ("CandidateShadows", NOTHING)
    (seen,) = _config(shadow)["ProductionVariants"]
    assert variant == {
        **seen,
        "VariantName": "shadow",
        "ModelName": {"Fn::GetAtt": ["CarefulChampionCandidateModel", "ModelName"]},
        "InitialVariantWeight": 0.5,
    }
    models = shadow.templates["serving"]["Resources"]
    candidate = models["CarefulChampionCandidateModel"]
    assert candidate["Condition"] == "CandidateShadows"
    assert candidate["Properties"] == json.loads(
        json.dumps(models["CarefulChampionModel"]["Properties"]).replace("Champion", "Candidate")
    )


def test_all_answers_are_kept_while_it_shadows_and_the_pictures_never(shadow: Synthesised) -> None:
    condition, capture, otherwise = _config(shadow)["DataCaptureConfig"]["Fn::If"]
    assert (condition, otherwise) == ("CandidateShadows", NOTHING)
    assert capture["InitialSamplingPercentage"] == 100
    assert capture["CaptureOptions"] == [{"CaptureMode": "Output"}]


def test_the_parameter_is_there_before_the_stack_that_reads_it(shadow: Synthesised) -> None:
    (made,) = shadow.resources("Custom::CandidateParameter").values()
    assert made["Properties"]["ParameterName"] == "/careful/candidate"


def test_who_compares_is_given_what_it_reads_and_looks_every_quarter_of_an_hour(shadow: Synthesised) -> None:
    variables = _functions(shadow)["compare-shadow"]["Environment"]["Variables"]
    values = {key: value if isinstance(value, str) else "later" for key, value in variables.items()}
    read = environment.ShadowEnvironment.read(values)
    assert (read.hours, read.requests, read.min_agreement, read.max_latency_percent) == (24, 1000, 0.9, 120)
    assert (read.capture_folder, read.shadow_folder) == ("captured/careful/main", "captured/careful/shadow")
    assert read.variables() == values
    promotes = _functions(shadow)["promote-model"]["Environment"]["Variables"]
    assert promotes["CANDIDATE_PARAMETER"] == "/careful/candidate"
    called = [
        rule["Properties"]["Targets"][0]["Arn"]["Fn::GetAtt"][0]
        for rule in shadow.resources("AWS::Events::Rule").values()
        if rule["Properties"].get("ScheduleExpression") == "rate(15 minutes)"
    ]
    assert any("CompareShadow" in each for each in called)
    assert _schedules(shadow)


def test_who_compares_reads_answers_writes_verdicts_and_decides_nothing_itself(shadow: Synthesised) -> None:
    allowed = _allowed(shadow, "PipelineCompareShadow")
    assert {resource.split(">")[1] for resource in allowed.pop("s3:GetObject")} == {"/captured/*", "/runs/*"}
    assert {resource.split(">")[1] for resource in allowed.pop("s3:PutObject")} == {"/runs/*"}
    (invoked,) = allowed.pop("lambda:InvokeFunction")
    assert invoked.endswith(":careful-promote-model")
    history = allowed.pop("ssm:GetParameterHistory")
    assert {each.rpartition(":")[2] for each in history} == {
        "parameter/careful/champion",
        "parameter/careful/candidate",
    }
    (package,) = allowed.pop("sagemaker:DescribeModelPackage")
    assert package.endswith(":model-package/careful/*")
    assert set(allowed) <= {
        "s3:ListBucket",
        "cloudwatch:GetMetricStatistics",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    }


def test_the_candidate_is_written_by_who_promotes_and_read_by_who_deploys(shadow: Synthesised) -> None:
    for policy, action, may in (
        ("PipelinePromoteModel", "ssm:PutParameter", True),
        ("ServingDeploymentRole", "ssm:GetParameters", True),
        ("PipelineIdleGuard", "ssm:GetParameterHistory", False),
    ):
        named = any(each.endswith("parameter/careful/candidate") for each in _allowed(shadow, policy)[action])
        assert named is may, policy
    assert {each.split(">")[1] for each in _allowed(shadow, "EndpointRole")["s3:PutObject"]} == {
        "/captured/*"
    }


def test_a_deployment_says_before_what_a_comparison_costs(shadow: Synthesised) -> None:
    said = shadow.templates["serving"]["Outputs"]["ComparisonCost"]["Value"]
    each = prices.price_of("ml.c7i.large", prices.HOSTING).usd_per_hour
    assert "2 x ml.c7i.large more, for 24 hours at most" in said
    assert f"{24 * 2 * each:.2f} USD" in said
