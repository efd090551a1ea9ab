"""The API: what needs a key, what is limited, and how it refuses."""

from __future__ import annotations

import json
from typing import Any

from tests.infrastructure.conftest import Synthesised


def _methods(sample: Synthesised) -> dict[str, dict[str, Any]]:
    """`POST classify` → properties."""
    resources = sample.templates["api"]["Resources"]
    methods = {}
    for method in sample.resources("AWS::ApiGateway::Method").values():
        properties = method["Properties"]
        parent = properties["ResourceId"].get("Ref", "")
        path = resources[parent]["Properties"]["PathPart"] if parent else ""
        methods[f"{properties['HttpMethod']} {path}".strip()] = properties
    return methods


def test_classifying_needs_a_key_and_looking_does_not(sample: Synthesised) -> None:
    methods = {name: method for name, method in _methods(sample).items() if not name.startswith("OPTIONS")}
    assert {
        name: method["ApiKeyRequired"] for name, method in methods.items() if "ApiKeyRequired" in method
    } == {name: True for name in methods if name.startswith("POST") or name == "GET classes"}
    assert set(methods) >= {"POST classify", "GET classes", "GET model"}


def test_callers_sign_by_the_setting_and_the_page_which_cannot_is_left_out(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    assert _methods(minimal)["POST classify"]["AuthorizationType"] == "NONE"
    assert "GET" in _methods(minimal)
    assert _methods(comprehensive)["POST classify"]["AuthorizationType"] == "AWS_IAM"
    assert _methods(comprehensive)["GET model"]["AuthorizationType"] == "NONE"
    assert "GET" not in _methods(comprehensive)
    assert "PageUrl" not in comprehensive.templates["api"]["Outputs"]


def test_the_firewall_is_there_by_the_setting_and_lets_pictures_through(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    assert not minimal.resources("AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation")
    assert len(comprehensive.resources("AWS::WAFv2::WebACLAssociation")) == 1
    (acl,) = comprehensive.resources("AWS::WAFv2::WebACL").values()
    rules = {rule["Name"]: rule for rule in acl["Properties"]["Rules"]}
    assert list(rules) == [
        "RatePerAddress",
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
        "AWSManagedRulesCommonRuleSet",
    ]
    common = rules["AWSManagedRulesCommonRuleSet"]["Statement"]["ManagedRuleGroupStatement"]
    # This rule refuses every body above 8 kB.
    assert {"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}} in common["RuleActionOverrides"]
    # A sample of requests would hold people's pictures.
    assert "SampledRequestsEnabled': True" not in str(acl)


def test_every_body_reaches_the_function_as_it_was_sent(sample: Synthesised) -> None:
    (api,) = sample.resources("AWS::ApiGateway::RestApi").values()
    assert api["Properties"]["BinaryMediaTypes"] == ["*/*"]


def test_rate_and_quota_follow_the_settings(minimal: Synthesised, comprehensive: Synthesised) -> None:
    for sample, rate, burst, day in ((minimal, 20, 40, 50000), (comprehensive, 100, 200, 1_000_000)):
        (plan,) = sample.resources("AWS::ApiGateway::UsagePlan").values()
        assert plan["Properties"]["Throttle"] == {"RateLimit": rate, "BurstLimit": burst}
        assert plan["Properties"]["Quota"] == {"Limit": day, "Period": "DAY"}
        (stage,) = sample.resources("AWS::ApiGateway::Stage").values()
        # The page needs no key, so the plan does not bind it; the stage does.
        (everything,) = (
            setting for setting in stage["Properties"]["MethodSettings"] if setting["ResourcePath"] == "/*"
        )
        assert (everything["ThrottlingRateLimit"], everything["ThrottlingBurstLimit"]) == (rate, burst)


def test_calls_are_logged_without_their_pictures(sample: Synthesised) -> None:
    (stage,) = sample.resources("AWS::ApiGateway::Stage").values()
    assert "DestinationArn" in stage["Properties"]["AccessLogSetting"]
    assert all(not setting["DataTraceEnabled"] for setting in stage["Properties"]["MethodSettings"])


def _refusals(sample: Synthesised) -> dict[str, dict[str, Any]]:
    """By kind, what API Gateway answers by itself."""
    return {
        answer["Properties"]["ResponseType"]: answer["Properties"]
        for answer in sample.resources("AWS::ApiGateway::GatewayResponse").values()
    }


def test_what_the_gateway_refuses_as_too_large_says_how_much_is_taken(
    minimal: Synthesised, serverless: Synthesised
) -> None:
    for sample, most in ((minimal, "4.5 MB"), (serverless, "4.0 MB")):
        assert most in _refusals(sample)["REQUEST_TOO_LARGE"]["ResponseTemplates"]["application/json"]


def test_refusals_of_the_gateway_have_the_form_of_our_own_errors(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    statuses = {kind: properties.get("StatusCode") for kind, properties in _refusals(minimal).items()}
    signed = {"INVALID_SIGNATURE", "EXPIRED_TOKEN", "ACCESS_DENIED", "DEFAULT_4XX"}
    assert set(_refusals(comprehensive)) == set(statuses) | signed | {"WAF_FILTERED"}
    answers = _refusals(minimal) | _refusals(comprehensive)
    assert statuses == {
        "INVALID_API_KEY": "403",
        "MISSING_AUTHENTICATION_TOKEN": "404",
        "THROTTLED": "429",
        "QUOTA_EXCEEDED": "429",
        "REQUEST_TOO_LARGE": "413",
        "INTEGRATION_TIMEOUT": "504",
        "INTEGRATION_FAILURE": "502",
        "DEFAULT_5XX": None,
    }
    for properties in answers.values():
        body = json.loads(properties["ResponseTemplates"]["application/json"])
        assert set(body) == {"error", "request_id"}
        assert set(body["error"]) == {"code", "message"}


def test_browsers_of_other_sites_are_let_in_only_by_the_setting(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    assert not [name for name in _methods(minimal) if name.startswith("OPTIONS")]
    preflight = _methods(comprehensive)["OPTIONS classify"]
    # Without this, binary media types make API Gateway answer a preflight with 500.
    assert preflight["Integration"]["ContentHandling"] == "CONVERT_TO_TEXT"
    (response,) = preflight["Integration"]["IntegrationResponses"]
    origin = response["ResponseParameters"]["method.response.header.Access-Control-Allow-Origin"]
    assert origin == "'https://pets.example.org'"
    (function,) = (
        resource["Properties"]["Environment"]["Variables"]
        for name, resource in comprehensive.resources("AWS::Lambda::Function").items()
        if name.startswith("api/Classify")
    )
    assert function["ALLOWED_ORIGIN"] == "https://pets.example.org"


def test_an_accounts_own_log_role_is_left_alone_by_the_setting(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    ((name, role),) = minimal.resources("Custom::ApiLogRole").items()
    # The first stage that logs comes after it, or API Gateway refuses to make the stage.
    (stage,) = minimal.resources("AWS::ApiGateway::Stage").values()
    assert name.split("/")[1] in stage["DependsOn"]
    assert role["Properties"]["RoleName"] == {"Fn::Join": ["", ["api-gateway-logs-", {"Ref": "AWS::Region"}]]}
    assert not comprehensive.resources("Custom::ApiLogRole")


def test_no_stack_owns_the_accounts_log_role_so_none_takes_it_away(sample: Synthesised) -> None:
    assert not sample.resources("AWS::ApiGateway::Account")
    roles = sample.resources("AWS::IAM::Role").values()
    assert "apigateway.amazonaws.com" not in str([role["Properties"] for role in roles])
