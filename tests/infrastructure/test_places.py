"""Which partition and regions there is something to deploy to, against AWS's own published lists."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from stacks import places
from tests.infrastructure.conftest import ROOT, Synthesised, context, node_environment


def _regions() -> dict[str, set[str]]:
    """Regions with SageMaker, by partition."""
    import botocore.session

    session = botocore.session.get_session()
    return {
        partition: set(session.get_available_regions("sagemaker", partition))
        for partition in session.get_available_partitions()
    }


def test_every_region_of_the_partition_aws_is_taken_and_none_of_another() -> None:
    for partition, regions in _regions().items():
        for region in regions:
            if partition == places.SUPPORTED:
                places.check(region)
            else:
                with pytest.raises(places.UnsupportedPlaceError, match=partition[:7]):
                    places.check(region)


def test_the_types_a_region_does_not_know_are_those_of_aws_s_published_schemas(
    minimal: Synthesised, comprehensive: Synthesised, serverless: Synthesised, sleeper: Synthesised
) -> None:
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    used = {
        resource["Type"]
        for sample in (minimal, comprehensive, serverless, sleeper)
        for resource in sample.resources().values()
        if resource["Type"].startswith("AWS::")
    }
    found: dict[str, set[str]] = {}
    for region in sorted(_regions()[places.SUPPORTED]):
        for missing in used - set(PROVIDER_SCHEMA_MANAGER.get_resource_types(region)):
            found.setdefault(missing, set()).add(region)
    assert found == {type_: set(regions) for type_, regions in places.UNKNOWN_IN.items()}


def test_a_region_that_lacks_a_type_says_which_setting_does_without_it() -> None:
    (budget,) = places.lacks("eu-north-1", ["AWS::Budgets::Budget", "AWS::IAM::Role"])
    assert "monthly_budget_usd" in budget.mend
    (registry,) = places.lacks("ap-south-2", ["AWS::SageMaker::ModelPackageGroup"])
    assert registry.mend == places.ANOTHER_REGION
    assert places.lacks("us-east-1", places.UNKNOWN_IN) == []


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_a_synth_for_another_partition_ends_with_one_message(region: str) -> None:
    result = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=node_environment() | {"CDK_CONTEXT_JSON": json.dumps(context()), "CDK_DEFAULT_REGION": region},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: the region {region} is in ")
    assert len(result.stderr.strip().splitlines()) == 1
