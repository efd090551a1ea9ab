"""Names that an account has once: two regions and two projects deploy side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from cli.check.identity import Identity
from cli.check.templates import text
from tests.infrastructure.conftest import Synthesised, node_environment

# Types whose names are one space for all regions, with the property that has the name and its longest.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
OF_THE_ACCOUNT = {
    "AWS::IAM::Role": ("RoleName", 64),
    "AWS::Budgets::Budget": ("Budget.BudgetName", 100),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::S3::Bucket": ("BucketName", 63),
}
# A policy inside a role, and what names another resource or is named by its API.
INSIDE_ANOTHER = {
    *("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"),
    *("AWS::SQS::QueuePolicy", "AWS::Lambda::Permission", "AWS::SNS::Subscription"),
    "AWS::WAFv2::WebACLAssociation",
}
OF_A_REGION = (
    *("AWS::ApiGateway::", "AWS::ApplicationAutoScaling::", "AWS::CloudWatch::Alarm", "AWS::CodeBuild::"),
    *("AWS::ECR::", "AWS::Events::", "AWS::Lambda::", "AWS::Logs::", "AWS::SNS::Topic", "AWS::SQS::Queue"),
    *("AWS::SageMaker::", "AWS::WAFv2::", "Custom::", "AWS::CloudFormation::"),
)
REGIONS = ("us-east-1", "eu-west-1")
ACCOUNT = "123456789012"


def _value(properties: Mapping[str, Any], path: str) -> Any:
    value: Any = properties
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _fixed(sample: Synthesised, region: str) -> Iterator[str]:
    """Every account-wide name that the sample's templates fix, as it is in a region."""
    for type_, (path, _) in OF_THE_ACCOUNT.items():
        for logical_id, resource in sample.resources(type_).items():
            value = _value(resource.get("Properties", {}), path)
            name = text(value, Identity(ACCOUNT, "", region, "aws").pseudo_parameters)
            # A name that nobody can tell before the deployment is one that nobody has shown to be free.
            assert value is None or name is not None, logical_id
            if name is not None:
                yield f"{type_} {name}"


def _all_apart(samples: list[Synthesised]) -> None:
    found = [name for sample in samples for region in REGIONS for name in _fixed(sample, region)]
    assert len(found) >= 5 * len(REGIONS)  # three roles, a budget, a dashboard
    assert sorted(found) == sorted(set(found))


def test_two_regions_have_no_account_wide_name_in_common(sample: Synthesised) -> None:
    _all_apart([sample])


def test_two_regions_have_none_in_common_with_the_flavours_either(flavour: Synthesised) -> None:
    _all_apart([flavour])


def test_two_projects_have_no_account_wide_name_in_common(
    minimal: Synthesised, comprehensive: Synthesised, serverless: Synthesised, sleeper: Synthesised
) -> None:
    projects = [minimal, comprehensive, serverless, sleeper]
    assert len({each.project for each in projects}) == len(projects)
    _all_apart(projects)


def test_every_type_of_resource_is_known_to_be_named_by_region_or_by_account(
    sample: Synthesised, flavour: Synthesised
) -> None:
    for each in (sample, flavour):
        for logical_id, resource in each.resources().items():
            type_ = resource["Type"]
            if type_ not in OF_THE_ACCOUNT and type_ not in INSIDE_ANOTHER:
                assert type_.startswith(OF_A_REGION), logical_id


def test_the_cdk_tool_finds_the_serving_stacks_role_under_the_name_it_is_made_with(
    sample: Synthesised,
) -> None:
    serving = sample.manifest()["artifacts"][f"{sample.project}-serving"]["properties"]
    place = Identity(ACCOUNT, "", REGIONS[0], "aws").pseudo_parameters
    made = {
        text(role["Properties"].get("RoleName"), place)
        for role in sample.resources("AWS::IAM::Role").values()
    }
    # The tool's placeholders are written as Fn::Sub writes them.
    told = text({"Fn::Sub": serving["cloudFormationExecutionRoleArn"]}, place)
    assert told is not None
    assert told.split("role/")[1] in made


def test_the_longest_project_in_the_longest_region_is_within_every_limit() -> None:
    os.environ.update(node_environment())
    import botocore.session

    from stacks.names import Names
    from stacks.settings.load import load

    session = botocore.session.get_session()
    regions = {
        region
        for partition in session.get_available_partitions()
        for service in ("sagemaker", "lambda", "ec2")
        for region in session.get_available_regions(service, partition, allow_non_regional=False)
    }
    project = "a" * 12
    assert load({"project": project}, "cdk.json").project == project
    names = Names(project, max(regions, key=len))
    for name in (names.training_role, names.endpoint_role, names.serving_deployment_role):
        assert len(name) <= OF_THE_ACCOUNT["AWS::IAM::Role"][1]
    assert len(names.budget) <= OF_THE_ACCOUNT["AWS::Budgets::Budget"][1]
    assert len(names.dashboard) <= OF_THE_ACCOUNT["AWS::CloudWatch::Dashboard"][1]
