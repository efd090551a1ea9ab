"""Nothing is billed while nothing runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.cost import Watching
from tests.infrastructure.conftest import ROOT, Synthesised

# Free while they lie idle: billed per request, per build minute, per gigabyte stored, or not at all.
FREE_WHEN_IDLE = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::Alarm",  # ten are free, see below
    "AWS::CloudWatch::Dashboard",  # three are free, see below
    "AWS::CodeBuild::Project",
    "AWS::ECR::Repository",
    "AWS::Events::Rule",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SageMaker::ModelPackageGroup",
}


# Billed by the month, which is why `api.waf` is off unless it is asked for.
FIREWALL = {"AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation"}


def _is_conditional(resource: dict[str, Any]) -> bool:
    return resource.get("Condition") in ("ChampionExists", "Scales")


def _billed_when_idle(sample: Synthesised) -> set[str]:
    return {
        resource["Type"]
        for resource in sample.resources().values()
        if not _is_conditional(resource)
        and resource["Type"] not in FREE_WHEN_IDLE
        and not resource["Type"].startswith("Custom::")
    }


def test_without_a_champion_every_resource_is_free_while_idle_but_a_firewall_that_was_asked_for(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    assert _billed_when_idle(minimal) == set()
    assert _billed_when_idle(comprehensive) == FIREWALL


def test_without_a_champion_the_serving_stack_has_no_resource_at_all(sample: Synthesised) -> None:
    template = sample.templates["serving"]
    assert template["Conditions"]["ChampionExists"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "ChampionParameter"}, "none"]}]
    }
    scales = template["Conditions"].get("Scales", {"Fn::And": [{"Condition": "ChampionExists"}]})
    assert {"Condition": "ChampionExists"} in scales["Fn::And"]
    assert all(_is_conditional(resource) for resource in template["Resources"].values())


def test_all_alarms_and_dashboards_together_stay_within_the_free_tier(sample: Synthesised) -> None:
    alarms = sample.resources("AWS::CloudWatch::Alarm").values()
    # Billed is each metric an alarm watches, so none may be an expression over several.
    assert all("Metrics" not in alarm["Properties"] for alarm in alarms)
    assert all(alarm["Properties"]["Period"] >= 60 for alarm in alarms), "high resolution is never free"
    assert len(alarms) <= 10
    assert len(sample.resources("AWS::CloudWatch::Dashboard")) <= 3


def test_what_idles_beyond_the_free_tier_is_counted_and_priced_where_readers_look(
    sample: Synthesised,
) -> None:
    """By the same words as `classifier cost`, which counts what is deployed."""
    idle = [r["Type"] for r in sample.resources().values() if not _is_conditional(r)]
    watching = Watching(idle.count("AWS::CloudWatch::Alarm"), idle.count("AWS::CloudWatch::Dashboard"))
    counted = f"{watching.alarms} alarms and {watching.dashboards} dashboard"
    for page in ("README.md", "docs/costs.md"):
        text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        assert counted in text
        assert f"{watching.most_usd:.2f} USD" in text
    with_endpoint = [r["Type"] for r in sample.resources().values() if _is_conditional(r)]
    assert with_endpoint.count("AWS::CloudWatch::Alarm") in (3, 4)


def test_no_lambda_and_no_trace_is_paid_for_in_advance(sample: Synthesised) -> None:
    for function in sample.resources("AWS::Lambda::Function").values():
        assert "TracingConfig" not in function["Properties"]
        assert "ReservedConcurrentExecutions" not in function["Properties"]
    assert not sample.resources("AWS::Lambda::Alias", "AWS::KMS::Key", "AWS::SecretsManager::Secret")
    for stage in sample.resources("AWS::ApiGateway::Stage").values():
        assert not stage["Properties"].get("CacheClusterEnabled")
        assert not stage["Properties"].get("TracingEnabled")


def test_every_log_ends_with_the_setting_and_goes_with_its_stack(sample: Synthesised) -> None:
    groups = sample.resources("AWS::Logs::LogGroup")
    days = {group["Properties"]["RetentionInDays"] for group in groups.values()}
    assert len(days) == 1
    assert all(group["DeletionPolicy"] == "Delete" for group in groups.values())
    for name, function in sample.resources("AWS::Lambda::Function").items():
        room = name.split("/")[0]
        group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        assert f"{room}/{group}" in groups, name


def test_a_budget_tells_before_the_bill_does(minimal: Synthesised, comprehensive: Synthesised) -> None:
    for sample, usd in ((minimal, 50), (comprehensive, 200)):
        (budget,) = sample.resources("AWS::Budgets::Budget").values()
        assert budget["Properties"]["Budget"]["BudgetLimit"] == {"Amount": usd, "Unit": "USD"}
        alerts = budget["Properties"]["NotificationsWithSubscribers"]
        said = [(a["Notification"]["NotificationType"], a["Notification"]["Threshold"]) for a in alerts]
        assert said == [("ACTUAL", 50), ("ACTUAL", 100), ("FORECASTED", 100)]
        assert all(alert["Subscribers"][0]["SubscriptionType"] == "SNS" for alert in alerts)
        (policy,) = sample.resources("AWS::SNS::TopicPolicy").values()
        assert "budgets.amazonaws.com" in json.dumps(policy["Properties"]["PolicyDocument"])


def test_a_budget_of_zero_is_refused_with_what_would_be_accepted() -> None:
    from stacks.settings.load import SettingsError, load

    with pytest.raises(SettingsError, match=r"monthly_budget_usd is 0; allowed is .* or null for no budget"):
        load({"cost": {"monthly_budget_usd": 0}}, "cdk.json")
    assert load({"cost": {"monthly_budget_usd": None}}, "cdk.json").cost.monthly_budget_usd is None


def test_the_dashboard_answers_four_questions(sample: Synthesised) -> None:
    (dashboard,) = sample.resources("AWS::CloudWatch::Dashboard").values()
    body = json.dumps(dashboard["Properties"]["DashboardBody"])
    for question in ("Is it up?", "Is it fast?", "Is it right?", "What does it cost?"):
        assert question in body


def test_a_deployment_prints_what_the_endpoint_will_cost(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    said = minimal.templates["serving"]["Outputs"]["HourlyCost"]["Value"]
    assert "1 to 2 x ml.c7i.large, 0.107 to 0.214 USD an hour" in said
    assert "after 60 minutes without a request" in said
    said = comprehensive.templates["serving"]["Outputs"]["HourlyCost"]["Value"]
    assert "2 to 6 x ml.g6.2xlarge, 2.444 to 7.332 USD an hour" in said
