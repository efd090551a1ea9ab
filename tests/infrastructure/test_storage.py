"""The buckets, and the parameter that says which model is the champion."""

from __future__ import annotations

from typing import Any

from contract.names import DATASET
from tests.infrastructure.conftest import Synthesised

GIVEN = "api/CorrectionsGiven"
"""The bucket of given pictures (test_corrections.py), in which what is deleted is gone."""


def _buckets(sample: Synthesised) -> dict[str, dict[str, Any]]:
    return sample.resources("AWS::S3::Bucket")


def test_every_bucket_is_encrypted_versioned_and_closed_to_the_public(sample: Synthesised) -> None:
    ours = _buckets(sample).items()
    assert len([name for name, _ in ours if not name.startswith(GIVEN)]) == 3
    for name, bucket in ours:
        properties = bucket["Properties"]
        rules = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert [rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules] == ["AES256"]
        versioned = {"Status": "Enabled"}
        assert properties.get("VersioningConfiguration") == (None if name.startswith(GIVEN) else versioned)
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}


def test_every_bucket_refuses_plain_http(sample: Synthesised) -> None:
    policies = sample.resources("AWS::S3::BucketPolicy")
    refusing = {
        policy["Properties"]["Bucket"]["Ref"]
        for policy in policies.values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Action"] == "s3:*"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Principal"] == {"AWS": "*"}
    }
    assert refusing == {name.split("/")[1] for name in _buckets(sample)}


def test_pictures_and_models_leave_access_logs(sample: Synthesised) -> None:
    logged = [b for b in _buckets(sample).values() if "LoggingConfiguration" in b["Properties"]]
    assert len(logged) == 2


def test_trials_expire_by_the_setting_and_models_never(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    for sample, days, kept in ((minimal, 30, 14), (comprehensive, 14, 30)):
        (artifacts,) = (b for name, b in _buckets(sample).items() if "Artifacts" in name)
        rules = artifacts["Properties"]["LifecycleConfiguration"]["Rules"]
        expiring = {
            rule.get("Prefix"): rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule
        }
        of_jobs = dict.fromkeys(("trials/", "checkpoints/", "features/", "doctor/", "batch/"), days)
        assert expiring == {**of_jobs, "captured/": kept}
        replaced = {
            rule["Prefix"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
            for rule in rules
            if "Prefix" in rule
        }
        assert replaced == dict.fromkeys(expiring, 1)
        assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
        assert any("NoncurrentVersionExpiration" in rule for rule in rules)


def test_of_the_pictures_only_those_expire_that_were_sent_for_a_batch(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    for sample, days in ((minimal, 30), (comprehensive, 14)):
        (data,) = (b for name, b in _buckets(sample).items() if "/Data" in name)
        rules = data["Properties"]["LifecycleConfiguration"]["Rules"]
        assert [
            (rule["Prefix"], rule["ExpirationInDays"]) for rule in rules if "ExpirationInDays" in rule
        ] == [("_batch/", days)]
    assert not DATASET.fullmatch("_batch")


def test_the_buckets_are_kept_unless_on_destroy_says_delete(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    assert {b["DeletionPolicy"] for b in _buckets(comprehensive).values()} == {"Delete"}
    assert len(comprehensive.resources("Custom::S3AutoDeleteObjects")) == 4
    assert {b["DeletionPolicy"] for b in _buckets(minimal).values()} == {"Retain"}
    assert not minimal.resources("Custom::S3AutoDeleteObjects")


def test_the_champion_is_no_parameter_resource_that_a_deploy_could_reset(sample: Synthesised) -> None:
    assert not sample.resources("AWS::SSM::Parameter")
    (champion,) = sample.resources("Custom::ChampionParameter").values()
    properties = champion["Properties"]
    # Nothing in its properties ever changes, so CloudFormation has no reason to call it again.
    assert set(properties) == {"ServiceToken", "ParameterName"}
    assert properties["ParameterName"] == f"/{sample.project}/champion"


def test_the_champion_parameter_waits_for_the_permission_to_make_it(sample: Synthesised) -> None:
    (champion,) = sample.resources("Custom::ChampionParameter").values()
    types = {sample.templates["storage"]["Resources"][name]["Type"] for name in champion["DependsOn"]}
    assert "AWS::IAM::Policy" in types
