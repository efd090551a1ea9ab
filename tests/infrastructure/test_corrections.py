"""What senders give: nothing of it without the setting; with it a bucket that forgets, and two roles."""

from __future__ import annotations

import json
from typing import Any

from contract import given
from tests.infrastructure.conftest import Synthesised
from tests.infrastructure.test_api import _methods
from tests.infrastructure.test_permissions import _allowed

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}


def _bucket(sample: Synthesised) -> tuple[str, dict[str, Any]]:
    ((name, bucket),) = (
        (name.split("/")[1], bucket)
        for name, bucket in sample.resources("AWS::S3::Bucket").items()
        if name.startswith("api/")
    )
    return name, bucket["Properties"]


def _of_bucket(sample: Synthesised, policy: str) -> dict[str, set[str]]:
    """What a role may do, by the part of the bucket."""
    name, _ = _bucket(sample)
    arn = f"<{name}.Arn>"
    found = {
        action: {each.removeprefix(arn) for each in resources if each.startswith(arn)}
        for action, resources in _allowed(sample, policy).items()
        if action.startswith("s3:")
    }
    return {action: parts for action, parts in found.items() if parts}


def test_without_the_setting_there_is_nothing_of_it(minimal: Synthesised) -> None:
    text = json.dumps(minimal.templates["api"]).lower()
    for word in ("feedback", "correction", given.GIVE, given.SENDER, "given_", "givenbucket"):
        assert word not in text, word
    assert not [name for name in minimal.resources("AWS::S3::Bucket") if not name.startswith("storage/")]
    allowed = _allowed(minimal, "ClassifyRole")
    assert [action for action in allowed if action.startswith("s3:")] == ["s3:GetObject"]
    (read,) = allowed["s3:GetObject"]
    assert read.endswith("/runs/*/evaluation.json"), "which name the model's classes, and no picture"
    assert set(_methods(minimal)) == {"GET", "GET model", "GET classes", "GET openapi.json", "POST classify"}


def test_the_bucket_is_closed_encrypted_and_forgets_by_the_setting(comprehensive: Synthesised) -> None:
    name, properties = _bucket(comprehensive)
    (rule,) = properties["LifecycleConfiguration"]["Rules"]
    assert (rule["ExpirationInDays"], rule["Status"]) == (60, "Enabled")
    assert not {"Prefix", "TagFilters", "ObjectSizeGreaterThan"} & set(rule), "it is about every object"
    # An old version would outlive what its sender wants deleted.
    assert "VersioningConfiguration" not in properties
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    refusing = [
        statement
        for policy in comprehensive.resources("AWS::S3::BucketPolicy").values()
        if policy["Properties"]["Bucket"] == {"Ref": name}
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    ]
    assert [each["Condition"] for each in refusing] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_who_classifies_puts_pictures_and_answers_and_reads_none(comprehensive: Synthesised) -> None:
    assert _of_bucket(comprehensive, "ClassifyRole") == {
        "s3:PutObject": {f"/{given.PICTURES}/*", f"/{given.ANSWERS}/*"}
    }


def test_who_takes_feedback_reads_answers_and_reaches_no_picture(comprehensive: Synthesised) -> None:
    assert _of_bucket(comprehensive, "Feedback") == {
        "s3:GetObject": {f"/{given.ANSWERS}/*"},
        "s3:PutObject": {f"/{given.FEEDBACK}/*"},
        "s3:ListBucket": {""},
    }
    assert {each for each in _allowed(comprehensive, "Feedback") if not each.startswith("s3:")} == LOGS


def test_feedback_needs_what_classifying_needs(comprehensive: Synthesised) -> None:
    methods = _methods(comprehensive)
    for name in ("ApiKeyRequired", "AuthorizationType"):
        assert methods["POST feedback"][name] == methods["POST classify"][name]
    (response,) = methods["OPTIONS feedback"]["Integration"]["IntegrationResponses"]
    assert "feedback" not in _methods(comprehensive)["OPTIONS classify"]
    headers = response["ResponseParameters"]["method.response.header.Access-Control-Allow-Headers"]
    assert {given.GIVE, given.SENDER} <= set(headers.strip("'").split(","))


def test_jobs_and_launchers_do_not_know_the_bucket(comprehensive: Synthesised) -> None:
    name, _ = _bucket(comprehensive)
    for room in ("storage", "training", "serving"):
        assert name not in json.dumps(comprehensive.templates[room]), room
