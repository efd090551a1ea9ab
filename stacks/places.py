"""Where AWS has what the stacks need: the regions of the partition `aws` that know every type of resource.

China, GovCloud, the European sovereign cloud and the isolated partitions are not supported. The images are
built from public.ecr.aws by a role with a managed policy for it, and neither is there. China's CloudFormation
knows no model registry, GovCloud's no budget.
https://docs.aws.amazon.com/AmazonECR/latest/public/public-registries.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

SUPPORTED = "aws"
_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        **{"cn-": "China (aws-cn)", "us-gov-": "GovCloud (aws-us-gov)"},
        **{"eusc-": "the European sovereign cloud (aws-eusc)"},
        **{"us-iso": "an isolated partition (aws-iso)", "eu-iso": "an isolated partition (aws-iso-e)"},
    }
)
"""How the names of other partitions' regions begin."""

_NEW = (
    *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-3", "ap-south-2", "ap-southeast-4"),
    *("ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1"),
    *("eu-south-2", "il-central-1", "mx-central-1"),
)
_NO_ENDPOINTS = ("me-central-1",)
UNKNOWN_IN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "AWS::Budgets::Budget": frozenset({*_NEW, "ap-southeast-3", "eu-north-1", "me-central-1"}),
        "AWS::SageMaker::InferenceComponent": frozenset({*_NEW, "eu-west-3", "us-west-1"}),
        "AWS::CodeBuild::Project": frozenset({"ap-east-2", "ca-west-1", "mx-central-1"}),
        "AWS::SageMaker::ModelPackageGroup": frozenset(
            {"ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-6"}
        ),
        "AWS::SageMaker::Endpoint": frozenset(_NO_ENDPOINTS),
        "AWS::SageMaker::EndpointConfig": frozenset(_NO_ENDPOINTS),
        "AWS::SageMaker::Model": frozenset(_NO_ENDPOINTS),
    }
)
"""Types of the templates, by the regions of `aws` whose CloudFormation does not know them. Source: the
schemas that CloudFormation publishes by region, as the locked cfn-lint has them."""

_WITHOUT: Mapping[str, str] = MappingProxyType(
    {
        "AWS::Budgets::Budget": 'set "monthly_budget_usd": null under cost in cdk.json',
        "AWS::SageMaker::InferenceComponent": 'leave "scale_to_zero" out under serving in cdk.json',
        "AWS::CodeBuild::Project": 'set "image_uri" under training and under serving in cdk.json',
    }
)
ANOTHER_REGION = "export AWS_REGION=us-east-1 (or another that has them)"


class UnsupportedPlaceError(Exception):
    """A region where the stacks cannot be deployed; the message says which can."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Something a region does not have, and what to do."""

    wrong: str
    mend: str


def check(region: str) -> None:
    """Refuse the regions of other partitions than `aws`.

    Raises:
        UnsupportedPlaceError: for one of those; a region nobody knows passes.
    """
    for prefix, place in _ELSEWHERE.items():
        if region.startswith(prefix):
            raise UnsupportedPlaceError(
                f"the region {region} is in {place}, which has no public ECR to build the images from;"
                f" supported is the partition {SUPPORTED} alone (docs/first-deploy.md). Choose one of its"
                " regions with AWS_REGION."
            )


def lacks(region: str, types: Iterable[str]) -> list[Lack]:
    """What CloudFormation would refuse in a region before it makes anything: types it does not know there."""
    missing = sorted(each for each in set(types) if region in UNKNOWN_IN.get(each, ()))
    return [
        Lack(f"CloudFormation has no {each} in {region}", _WITHOUT.get(each, ANOTHER_REGION))
        for each in missing
    ]
