"""A candidate answers a copy of the traffic, nobody sees it, and takes the champion's place when it may.

A deployment of its own with the setting on, on the local AWS with IAM enforced; the models are small servers
that answer what they are told to (releases.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.conftest import PROJECT, Deployment, deploying
from tests.system.releases import FAULTY_IMAGE, Load, Registry, build_faulty_image, until
from tests.system.rights import role_of, without

pytestmark = [pytest.mark.timeout(3600), pytest.mark.long]

SETTINGS = {
    "on_destroy": "delete",
    "training": {"image_uri": FAULTY_IMAGE},
    "serving": {
        "image_uri": FAULTY_IMAGE,
        "alarm_minutes": 1,
        "alarm_latency_ms": 60000,
        "bake_seconds": 5,
        "idle_minutes": 0,
        # Latency on a busy machine says nothing about a model.
        "shadow": {"hours": 1, "requests": 30, "max_latency_percent": 10_000},
    },
}
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture(scope="module")
def comparing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("comparing")
    build_faulty_image(home / "aws")
    with deploying("local", home, SETTINGS) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def registry(comparing: Deployment) -> Registry:
    """Version 1 serves: the first has nobody to be compared with."""
    registry = Registry(comparing.client, PROJECT, comparing.outputs["artifacts_bucket"])
    registry.promote(registry.faulty("1"))
    return registry


def shown(deployment: Deployment) -> tuple[str, str]:
    """The stack's status and its candidate."""
    cloudformation = deployment.client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=f"{PROJECT}-serving")["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    return stack["StackStatus"], outputs["Candidate"]


def shadows(deployment: Deployment) -> list[dict[str, Any]]:
    endpoint = deployment.client("sagemaker").describe_endpoint(EndpointName=PROJECT)
    found: list[dict[str, Any]] = endpoint.get("ShadowProductionVariants", [])
    return found


def begins(deployment: Deployment, registry: Registry, arn: str) -> None:
    registry.decide(arn, "Approved")
    until(
        lambda: shown(deployment) in (("UPDATE_COMPLETE", arn), ("UPDATE_ROLLBACK_COMPLETE", arn)),
        300,
        lambda: f"{shown(deployment)} {registry.told(arn)}",
    )
    assert [each["VariantName"] for each in shadows(deployment)] == ["shadow"]


def ends(deployment: Deployment, champion: str, registry: Registry) -> None:
    until(
        lambda: registry.agreement() == champion and shown(deployment)[1] == "none",
        300,
        lambda: f"{shown(deployment)} {registry.told(champion)}",
    )
    assert shadows(deployment) == []


def load(deployment: Deployment, requests: int) -> Load:
    """So many pictures sent, and answered."""
    urls = deployment.outputs
    with Load(urls["api_url"], urls["api_key"], PICTURE, pause=0.05) as asking:
        until(lambda: asking.requests >= requests, 300, lambda: f"{asking.statuses} {asking.failures[:3]}")
    return asking


def compared(deployment: Deployment) -> dict[str, Any]:
    """What compare-shadow decided; data capture and metrics come a while after the answers."""
    found: list[dict[str, Any]] = []

    def decided() -> bool:
        found.append(deployment.invoke("compare-shadow", {}))
        return "asked" in found[-1]

    until(decided, 120, lambda: str(found[-1:]))
    return found[-1]


def test_a_candidate_answers_unseen_and_takes_the_champions_place(
    comparing: Deployment, registry: Registry
) -> None:
    candidate = registry.faulty("2")
    begins(comparing, registry, candidate)
    asked = load(comparing, 60)
    assert (set(asked.statuses), set(asked.versions)) == ({200}, {"1"}), asked.failures[:3]
    decided = compared(comparing)
    assert decided["asked"] == "trust", decided
    assert " 0 errors of " in decided["why"]
    ends(comparing, candidate, registry)
    assert set(load(comparing, 10).versions) == {"2"}


def test_each_right_of_who_compares_is_needed(comparing: Deployment, registry: Registry) -> None:
    sagemaker = comparing.client("sagemaker")
    versions = sagemaker.list_model_packages(ModelPackageGroupName=PROJECT)["ModelPackageSummaryList"]
    # It answers with its own version, as answers are told apart by that.
    champion, candidate = registry.champion(), registry.faulty(str(len(versions) + 1))
    # So that the numbers have a verdict to be written into.
    made = {"training_job": f"{PROJECT}-compared-final"}
    sagemaker.update_model_package(ModelPackageArn=candidate, CustomerMetadataProperties=made)
    begins(comparing, registry, candidate)
    load(comparing, 60)
    role, artifacts = role_of(comparing, "compare-shadow"), comparing.outputs["artifacts_bucket"]

    def refused(action: str, resource: str) -> bool:
        with without(comparing, role, action, resource):
            answer = comparing.invoke("compare-shadow", {})
        return action in answer.get("errorMessage", "")

    ask = ("lambda:InvokeFunction", f"{PROJECT}-promote-model")
    until(lambda: refused(*ask), 120, lambda: str(comparing.invoke("compare-shadow", {})))  # it is over
    for action, resource in (
        ("ssm:GetParameterHistory", f"parameter/{PROJECT}/candidate"),
        ("ssm:GetParameterHistory", f"parameter/{PROJECT}/champion"),
        ("s3:ListBucket", artifacts),
        ("s3:GetObject", f"{artifacts}/captured/*"),
        ("cloudwatch:GetMetricStatistics", "*"),
        ("sagemaker:DescribeModelPackage", f"model-package/{PROJECT}/*"),
        ("s3:GetObject", f"{artifacts}/runs/*"),
        ("s3:PutObject", f"{artifacts}/runs/*"),
    ):
        assert refused(action, resource), (action, resource)
    assert registry.champion() == champion
    assert compared(comparing)["asked"] == "trust"
    ends(comparing, candidate, registry)


def test_a_candidate_that_fails_at_every_request_is_seen_by_nobody_and_rejected_by_hand(
    comparing: Deployment, registry: Registry
) -> None:
    champion, candidate = registry.champion(), registry.faulty("failing")
    begins(comparing, registry, candidate)
    asked = load(comparing, 60)
    assert set(asked.statuses) == {200}
    assert "0 of 30" in comparing.invoke("compare-shadow", {})["saw"]
    comparing.cli("reject", candidate.rpartition("/")[2])
    ends(comparing, champion, registry)


def test_a_candidate_that_does_not_start_leaves_the_champion_serving_alone(
    comparing: Deployment, registry: Registry
) -> None:
    champion, candidate = registry.champion(), registry.faulty("broken")
    registry.refused(candidate)
    ends(comparing, champion, registry)
    assert set(load(comparing, 10).statuses) == {200}
