"""An endpoint that serves is changed by one `classifier up`, and no caller notices where AWS allows it.

On the local AWS, which refuses what AWS refuses of an endpoint that auto scaling looks after. Nothing is
trained: what serves is a small model that only says which version it is, in an image for each flavour.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.system.conftest import PROJECT, Deployment, deploying
from tests.system.releases import FAULTY_GPU_IMAGE, FAULTY_IMAGE, Load, Registry, build_faulty_image

pytestmark = [pytest.mark.timeout(3600), pytest.mark.long]

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)
SCALED = f"endpoint/{PROJECT}/variant/main"


def settings(**serving: Any) -> dict[str, Any]:
    """For an endpoint of one ml.c7i.large, changed as told."""
    fixed = {
        "image_uri": FAULTY_IMAGE,
        "max_instances": 4,
        "alarm_minutes": 1,
        "alarm_latency_ms": 60000,
        "bake_seconds": 5,
        "idle_minutes": 0,
    }
    return {"training": {"image_uri": FAULTY_IMAGE}, "serving": {**fixed, **serving}}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("live")
    build_faulty_image(home / "aws")
    with deploying("local", home, settings()) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def registry(deployment: Deployment) -> Registry:
    """The registry, with a model that serves."""
    registry = Registry(deployment.client, PROJECT, deployment.outputs["artifacts_bucket"])
    registry.promote(registry.faulty("well"), 600)
    return registry


@pytest.fixture
def load(deployment: Deployment, registry: Registry) -> Load:
    return Load(deployment.outputs["api_url"], deployment.outputs["api_key"], PICTURE)


def variant(deployment: Deployment) -> dict[str, Any]:
    """The endpoint's variant: how many run, and on what."""
    sagemaker = deployment.client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=PROJECT)
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    assert endpoint["EndpointStatus"] == "InService"
    return {**config["ProductionVariants"][0], **endpoint["ProductionVariants"][0]}


def bounds(deployment: Deployment) -> tuple[int, int] | None:
    """Between which numbers auto scaling keeps the variant, with its policy; None when it does not."""
    scaling, of = deployment.client("application-autoscaling"), {"ServiceNamespace": "sagemaker"}
    targets = scaling.describe_scalable_targets(**of, ResourceIds=[SCALED])["ScalableTargets"]
    policies = scaling.describe_scaling_policies(**of, ResourceId=SCALED)["ScalingPolicies"]
    assert len(policies) == len(targets)
    return (targets[0]["MinCapacity"], targets[0]["MaxCapacity"]) if targets else None


def serving_image(deployment: Deployment, registry: Registry) -> str:
    package = deployment.client("sagemaker").describe_model_package(ModelPackageName=registry.champion())
    return str(package["InferenceSpecification"]["Containers"][0]["Image"])


def test_aws_refuses_another_instance_type_while_auto_scaling_looks_after_the_variant(
    deployment: Deployment, registry: Registry
) -> None:
    sagemaker = deployment.client("sagemaker")
    now = sagemaker.describe_endpoint(EndpointName=PROJECT)["EndpointConfigName"]
    (variant,) = sagemaker.describe_endpoint_config(EndpointConfigName=now)["ProductionVariants"]
    other = {**variant, "InstanceType": "ml.c7i.xlarge"}
    sagemaker.create_endpoint_config(EndpointConfigName="other", ProductionVariants=[other])
    with pytest.raises(ClientError, match="must be deregistered as scalable targets"):
        sagemaker.update_endpoint(EndpointName=PROJECT, EndpointConfigName="other")
    sagemaker.delete_endpoint_config(EndpointConfigName="other")


def test_another_instance_type_loses_no_request(
    deployment: Deployment, registry: Registry, load: Load
) -> None:
    deployment.configure(settings(instance_type="ml.c7i.xlarge"))
    with load:
        said = deployment.cli("up", "--yes").stdout
    assert load.failures == []
    assert load.requests > 0
    assert variant(deployment)["InstanceType"] == "ml.c7i.xlarge"
    assert bounds(deployment) == (1, 4), "auto scaling is back"
    assert "take auto scaling off" in said.split("waiting")[0]
    assert registry.agreed()


def test_another_flavour_and_back_loses_no_request(
    deployment: Deployment, registry: Registry, load: Load
) -> None:
    before = registry.champion()
    with load:
        deployment.configure(settings(flavour="gpu", image_uri=FAULTY_GPU_IMAGE))
        deployment.cli("up", "--yes")
        assert variant(deployment)["InstanceType"] == "ml.g6.xlarge"
        assert serving_image(deployment, registry) == FAULTY_GPU_IMAGE
        deployment.configure(settings())
        deployment.cli("up", "--yes")
    assert load.failures == []
    assert variant(deployment)["InstanceType"] == "ml.c7i.large"
    assert serving_image(deployment, registry) == FAULTY_IMAGE
    assert bounds(deployment) == (1, 4)
    assert registry.agreed()
    assert registry.champion() != before


def test_more_instances_lose_no_request(deployment: Deployment, registry: Registry, load: Load) -> None:
    with load:
        for least in (2, 4):
            deployment.configure(settings(min_instances=least))
            deployment.cli("up", "--yes")
            assert variant(deployment)["CurrentInstanceCount"] == least
            assert bounds(deployment) == (least, 4)
    assert load.failures == []
    assert registry.agreed()


def test_a_change_that_fails_leaves_the_endpoint_and_its_auto_scaling_as_they_were(
    deployment: Deployment, registry: Registry, load: Load
) -> None:
    deployment.configure(settings())
    deployment.cli("up", "--yes")
    role, policy = f"{PROJECT}-serving-deployment-us-east-1", {"Version": "2012-10-17"}
    deny = {"Effect": "Deny", "Action": "sagemaker:CreateEndpointConfig", "Resource": "*"}
    document = json.dumps({**policy, "Statement": [deny]})
    iam = deployment.client("iam")
    iam.put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=document)
    try:
        with load:
            deployment.configure(settings(instance_type="ml.c7i.xlarge"))
            assert deployment.cli("up", "--yes", check=False).returncode != 0
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="deny")
    assert load.failures == []
    assert variant(deployment)["InstanceType"] == "ml.c7i.large"
    assert bounds(deployment) == (1, 4)


def test_a_change_with_a_pause_says_so_and_begins_only_when_it_is_agreed_to(
    deployment: Deployment, registry: Registry
) -> None:
    serverless = {"image_uri": FAULTY_IMAGE, "flavour": "serverless", "bake_seconds": 5, "idle_minutes": 0}
    deployment.configure({"training": {"image_uri": FAULTY_IMAGE}, "serving": serverless})
    asked = deployment.cli("up", check=False)
    assert asked.returncode != 0
    assert "503" in asked.stdout
    assert "Nothing was done" in asked.stdout + asked.stderr
    assert variant(deployment)["InstanceType"] == "ml.c7i.large"
    deployment.cli("up", "--yes")
    assert "CurrentServerlessConfig" in variant(deployment)
    assert bounds(deployment) is None
    with Load(deployment.outputs["api_url"], deployment.outputs["api_key"], PICTURE, callers=1) as load:
        # The one change of hosting that AWS makes in place.
        deployment.configure(settings())
        deployment.cli("up", "--yes")
    assert load.failures == []
    assert variant(deployment)["InstanceType"] == "ml.c7i.large"
    assert bounds(deployment) == (1, 4)
