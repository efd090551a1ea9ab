"""The local AWS takes what this project deploys: its images, its resources, the policies they attach."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from ministack.services import iam

from local_aws.core.store import Store
from local_aws.images.store import ImageStore
from local_aws.ministack_adapter import managed_policies, request_checks
from stacks.folders import Folders

ROOT = Path(__file__).parents[2]
BASELINES = ROOT / "tests" / "infrastructure" / "baselines"


@pytest.mark.parametrize("folder", ["inference_code", "training_code"])
@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_this_projects_images_are_built_on_a_base_named_by_its_digest(
    tmp_path: Path, folder: str, target: str
) -> None:
    images = ImageStore(Store(tmp_path / "store.db"), tmp_path / "images")
    source = Path(Folders(ROOT).image_context(folder))
    image = images.build(source, f"{folder}/Dockerfile", uri="here:latest", target=target)
    assert "@sha256:" in (source / folder / "Dockerfile").read_text()
    assert image.entrypoint[0] == sys.executable


def _resources() -> list[tuple[str, dict[str, Any]]]:
    """Every resource of the sample deployments that is checked."""
    return [
        (resource["Type"], resource.get("Properties", {}))
        for template in BASELINES.glob("*/*.json")
        for resource in json.loads(template.read_text())["Resources"].values()
        if resource["Type"] in request_checks._TYPES
    ]


def test_no_resource_of_the_samples_is_refused() -> None:
    resources = _resources()
    assert {kind for kind, _ in resources} >= {"AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Events::Rule"}
    for kind, properties in resources:
        request_checks.check_properties(kind, properties)


def test_every_policy_of_aws_that_our_templates_attach_can_be_attached_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(iam, "_aws_managed_policies", dict(iam._aws_managed_policies))
    managed_policies.install()
    written = "".join(path.read_text() for path in BASELINES.rglob("*.json"))
    attached = set(re.findall(r":iam::aws:policy/([A-Za-z/-]+)", written))
    assert "AmazonElasticContainerRegistryPublicReadOnly" in attached
    for name in attached:
        managed_policies.must_exist(f"arn:aws:iam::aws:policy/{name}")
