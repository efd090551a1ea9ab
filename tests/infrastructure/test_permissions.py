"""Least privilege: what each role may do, and that no statement is wider than its reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infrastructure.conftest import ROOT, Synthesised, node_environment

# Actions that AWS evaluates against `*` only (service authorization reference).
KNOW_NO_RESOURCE = {
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
    "cloudwatch:GetMetricStatistics",
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "sagemaker:ListHyperParameterTuningJobs",
    "sagemaker:ListModelPackages",
    "sagemaker:ListTrainingJobs",
    "servicequotas:ListAWSDefaultServiceQuotas",
    "servicequotas:ListServiceQuotas",
}
# Roles of Lambdas and builds that CDK constructs bring; the rest is ours.
PROVIDED = ("Custom", "DeployTimeBuild", "ContainerImageBuild")
# In the comprehensive sample.
BUCKETS_OF_OTHERS = (":s3:::partner-pictures", ":s3:::archive.example.org")
# With a name of their own, for other stacks to know them by.
ROLES = ("training-job", "batch-job", "endpoint", "serving-deployment")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _statements(sample: Synthesised) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every policy of ours, with the policy's name."""
    for name, resource in sample.resources("AWS::IAM::Policy", "AWS::IAM::RolePolicy").items():
        if not name.split("/")[1].startswith(PROVIDED):
            for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
                yield name, statement


def _text(arn: Any) -> str:
    """An ARN as text, whatever intrinsic functions it is made of."""
    match arn:
        case str():
            return arn
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_text(part) for part in parts)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::ImportValue": name}:
            return f"<{name}>"
    raise AssertionError(arn)


def _allowed(sample: Synthesised, policy: str) -> dict[str, set[str]]:
    """What a policy allows: action → resources."""
    allowed: dict[str, set[str]] = {}
    found = False
    for name, statement in _statements(sample):
        if policy in name:
            found = True
            for action in _as_list(statement["Action"]):
                allowed.setdefault(action, set()).update(map(_text, _as_list(statement["Resource"])))
    assert found, policy
    return allowed


def test_no_role_of_ours_has_a_managed_policy(sample: Synthesised) -> None:
    for name, role in sample.resources("AWS::IAM::Role").items():
        if not name.split("/")[1].startswith(PROVIDED):
            assert "ManagedPolicyArns" not in role["Properties"], name


def test_no_managed_policy_at_all_gives_full_access(sample: Synthesised) -> None:
    assert "FullAccess" not in str(sample.resources("AWS::IAM::Role"))


def test_every_action_is_named(sample: Synthesised) -> None:
    for name, statement in _statements(sample):
        for action in _as_list(statement["Action"]):
            assert "*" not in action, name


def test_only_actions_that_know_no_resource_are_allowed_on_all(sample: Synthesised) -> None:
    for name, statement in _statements(sample):
        if "*" in _as_list(statement["Resource"]):
            assert set(_as_list(statement["Action"])) <= KNOW_NO_RESOURCE, name


def test_every_named_resource_lies_in_the_projects_own_account(sample: Synthesised) -> None:
    for name, statement in _statements(sample):
        for resource in map(_text, _as_list(statement["Resource"])):
            named = resource == "*" or resource.startswith("<") or "<AWS::AccountId>" in resource
            # An image a user names may lie in another account (AWS's own, for example), and so may a bucket;
            # API Gateway's one account of a region is written without a number.
            of_others = "repository" in resource or resource.removesuffix("/*").endswith(BUCKETS_OF_OTHERS)
            assert named or of_others or resource.endswith("::/account"), (name, resource)


def test_a_role_is_passed_to_one_service_only(sample: Synthesised) -> None:
    passing = [
        statement for _, statement in _statements(sample) if "iam:PassRole" in _as_list(statement["Action"])
    ]
    # The launchers, the Serving stack, CDK's deployer for it, and who gives API Gateway a role to log with.
    assert len(passing) == 6 + len(sample.resources("Custom::ApiLogRole"))
    for statement in passing:
        assert list(statement["Condition"]) == ["StringEquals"]
        assert statement["Condition"]["StringEquals"]["iam:PassedToService"] in (
            "sagemaker.amazonaws.com",
            "cloudformation.amazonaws.com",
            "apigateway.amazonaws.com",
        )
        (role,) = _as_list(statement["Resource"])
        ours = (f"{sample.project}-{what}-<AWS::Region>" for what in ROLES)
        assert _text(role).endswith((*ours, ":role/api-gateway-logs-<AWS::Region>"))


def test_events_are_put_on_the_accounts_bus_by_one_function_and_in_the_projects_name(
    sample: Synthesised,
) -> None:
    ((name, statement),) = [
        each for each in _statements(sample) if "events:PutEvents" in _as_list(each[1]["Action"])
    ]
    assert "RegisterModel" in name
    assert _text(statement["Resource"]).endswith(":<AWS::AccountId>:event-bus/default")
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"events:source": sample.project}}


def test_the_bootstrap_deployer_may_pass_exactly_the_serving_role(sample: Synthesised) -> None:
    (policy,) = sample.resources("AWS::IAM::RolePolicy").values()
    assert _text(policy["Properties"]["RoleName"]) == (
        "cdk-hnb659fds-deploy-role-<AWS::AccountId>-<AWS::Region>"
    )
    passing, reading = policy["Properties"]["PolicyDocument"]["Statement"]
    assert _text(passing["Resource"]).endswith(f":role/{sample.project}-serving-deployment-<AWS::Region>")
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    assert [_text(each).rpartition(":")[2] for each in _as_list(reading["Resource"])] == [
        f"parameter/{sample.project}/champion",
        f"parameter/{sample.project}/instance-type",
    ]


def test_the_bootstrap_deployer_is_found_by_the_qualifier_of_the_context() -> None:
    os.environ.update(node_environment())
    from aws_cdk import App, Stack
    from aws_cdk.assertions import Template

    from stacks.context import Context
    from stacks.folders import Folders
    from stacks.serving.deployment_role import ServingDeploymentRole
    from stacks.settings.schema import Settings

    app = App(context={"@aws-cdk/core:bootstrapQualifier": "abc123"})
    stack = Stack(app, "Test")
    ServingDeploymentRole(stack, "ServingDeployment", Context(Settings(), Folders(ROOT)))
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::RolePolicy").values()
    assert _text(policy["Properties"]["RoleName"]).startswith("cdk-abc123-deploy-role-")


def test_sagemaker_takes_on_its_roles_for_this_account_only(sample: Synthesised) -> None:
    roles = {
        _text(role["Properties"]["RoleName"]): role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for role in sample.resources("AWS::IAM::Role").values()
        if "RoleName" in role["Properties"]
    }
    named = {what: f"{sample.project}-{what}-<AWS::Region>" for what in ROLES}
    assert set(roles) == set(named.values())
    for what in ("training-job", "endpoint"):
        (statement,) = roles[named[what]]
        assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    (statement,) = roles[named["serving-deployment"]]
    assert statement["Principal"] == {"Service": "cloudformation.amazonaws.com"}


def test_who_sets_the_accounts_log_role_may_give_it_nothing_but_writing_logs(minimal: Synthesised) -> None:
    statements = [each for name, each in _statements(minimal) if "LogRole" in name]
    allowed = {
        action: (set(map(_text, _as_list(each["Resource"]))), each.get("Condition"))
        for each in statements
        for action in _as_list(each["Action"])
        if not action.startswith("logs:")
    }
    assert set(allowed) == {
        *("apigateway:GET", "apigateway:PATCH"),
        *("iam:CreateRole", "iam:GetRole", "iam:AttachRolePolicy", "iam:PassRole"),
    }
    for action, (resources, _) in allowed.items():
        ours = "::/account" if action.startswith("apigateway") else ":role/api-gateway-logs-<AWS::Region>"
        assert all(resource.endswith(ours) for resource in resources)
    bound = allowed["iam:AttachRolePolicy"][1]["ArnEquals"]["iam:PolicyARN"]
    assert _text(bound).endswith(":aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")


def test_who_starts_the_doctor_starts_nothing_else_and_reads_no_picture(sample: Synthesised) -> None:
    allowed = _allowed(sample, "LaunchDoctor")
    (jobs,) = allowed["sagemaker:CreateTrainingJob"]
    assert jobs.endswith(f":training-job/{sample.project}-doctor-*")
    assert {action for action in allowed if not action.startswith("logs:")} == {
        *("sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"),
        *("iam:PassRole", "s3:GetObject", "s3:PutObject", "s3:ListBucket", "sqs:SendMessage"),
    }
    for action in ("s3:GetObject", "s3:PutObject"):
        assert all("/datasets/*/" in each for each in allowed[action]), action
        assert not any("/pictures" in each for each in allowed[action]), action


def test_jobs_write_what_the_doctor_finds_and_do_not_read_it(sample: Synthesised) -> None:
    allowed = _allowed(sample, "TrainingJobRole")
    assert any(each.endswith("/doctor/*") for each in allowed["s3:PutObject"])
    assert not any("/doctor/" in each for each in allowed["s3:GetObject"])


def test_who_starts_a_batch_starts_nothing_else_and_reads_no_picture(sample: Synthesised) -> None:
    allowed = _allowed(sample, "LaunchBatch")
    (jobs,) = allowed["sagemaker:CreateTrainingJob"]
    assert jobs.endswith(f":training-job/{sample.project}-batch-*")
    assert {action for action in allowed if not action.startswith("logs:")} == {
        *("sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags"),
        *("sagemaker:DescribeModelPackage", "ssm:GetParameterHistory"),
        *("iam:PassRole", "s3:PutObject", "s3:ListBucket", "sqs:SendMessage"),
    }
    (passed,) = allowed["iam:PassRole"]
    assert passed.endswith(f":role/{sample.project}-batch-job-<AWS::Region>")
    assert {resource.split(">")[1] for resource in allowed["s3:PutObject"]} == {"/batch/lists/*"}


def test_a_batch_job_reads_pictures_and_models_and_writes_answers_only(sample: Synthesised) -> None:
    allowed = _allowed(sample, "BatchJobRole")
    assert {resource.split(">")[1] for resource in allowed["s3:PutObject"]} == {
        *("/batch/parts/*", "/batch/answers/*"),
    }
    of_others = {f"{each}/*" for each in BUCKETS_OF_OTHERS} if sample.project == "pets" else set()
    assert {resource.split(">")[1] for resource in allowed["s3:GetObject"]} == {
        *("/*", "/code/*", "/jobs/*", "/batch/lists/*", "/batch/parts/*", *of_others),
    }
    assert not any(action.startswith(("sagemaker:", "iam:", "s3:Delete")) for action in allowed)


def test_buckets_of_others_are_listed_and_read_by_batches_alone(
    minimal: Synthesised, comprehensive: Synthesised
) -> None:
    who: dict[str, set[str]] = {}
    for name, statement in _statements(comprehensive):
        for resource in map(_text, _as_list(statement["Resource"])):
            if resource.removesuffix("/*").endswith(BUCKETS_OF_OTHERS):
                who.setdefault(name.split("/")[1], set()).update(_as_list(statement["Action"]))
    (job,) = (actions for name, actions in who.items() if name.startswith("BatchJobRole"))
    (launcher,) = (actions for name, actions in who.items() if "LaunchBatch" in name)
    assert (job, launcher, len(who)) == ({"s3:GetObject", "s3:ListBucket"}, {"s3:ListBucket"}, 2)
    assert ":s3:::" not in str([_text(each) for _, each in _resources(minimal)])


def _resources(sample: Synthesised) -> Iterator[tuple[str, Any]]:
    for name, statement in _statements(sample):
        for resource in _as_list(statement["Resource"]):
            yield name, resource


def test_who_starts_searches_by_itself_asks_for_them_and_reads_no_picture(comprehensive: Synthesised) -> None:
    allowed = _allowed(comprehensive, "LaunchRetraining")
    (invoked,) = allowed["lambda:InvokeFunction"]
    assert invoked.endswith(":pets-launch-tuning")
    assert {resource.split(">")[1] for resource in allowed["s3:PutObject"]} == {"/retraining/*"}
    assert {resource.rpartition(">/")[2] for resource in allowed["s3:GetObject"]} == {
        *("datasets/*/newest.json", "datasets/*/versions/*", "recipes/*", "runs/*", "retraining/*"),
    }
    assert {action for action in allowed if not action.startswith(("logs:", "s3:"))} == {
        *("sagemaker:ListHyperParameterTuningJobs", "sagemaker:ListTrainingJobs"),
        *("sagemaker:DescribeTrainingJob", "sagemaker:DescribeModelPackage", "ssm:GetParameterHistory"),
        *("lambda:InvokeFunction", "sns:Publish", "sqs:SendMessage"),
    }
    (asked,) = _allowed(comprehensive, "PipelineCheckDrift")["lambda:InvokeFunction"]
    assert asked.endswith(":pets-launch-retraining")


def test_the_promoting_function_may_update_the_serving_stack_and_no_other(sample: Synthesised) -> None:
    allowed = _allowed(sample, "PromoteModel")
    (stack,) = allowed["cloudformation:UpdateStack"]
    assert stack.endswith(f":stack/{sample.project}-serving/*")
    assert "iam:PassRole" not in allowed
    assert not any(action.startswith("sagemaker:Create") for action in allowed)


@pytest.mark.parametrize("function", ["LaunchTuning", "LaunchTraining"])
def test_a_launcher_makes_versions_of_data_sets_and_touches_no_picture(
    sample: Synthesised, function: str
) -> None:
    allowed = _allowed(sample, f"{function}Role")
    places = {
        action: sorted(
            resource.rpartition("/datasets/")[2] for resource in allowed[action] if "/datasets/" in resource
        )
        for action in ("s3:GetObject", "s3:PutObject")
    }
    assert places == {
        "s3:GetObject": ["*/newest.json", "*/versions/*"],
        "s3:PutObject": ["*/newest.json", "*/shards/*", "*/versions/*"],
    }
    artifacts = {resource.rpartition(">/")[2] for resource in allowed["s3:PutObject"]} - {
        f"datasets/{each}" for each in places["s3:PutObject"]
    }
    assert artifacts == {"runs/*"}
    assert not [action for action in allowed if "Delete" in action]


def test_a_training_job_writes_only_its_own_outputs(sample: Synthesised) -> None:
    allowed = _allowed(sample, "TrainingJobRole")
    written = {resource.split(">")[1] for resource in allowed["s3:PutObject"]}
    assert written == {"/jobs/*", "/trials/*", "/doctor/*", "/checkpoints/*", "/features/*"}
    assert not any(action.startswith(("sagemaker:", "iam:", "s3:Delete")) for action in allowed)


def test_an_endpoint_reads_models_and_writes_nothing_to_s3_but_captured_answers(sample: Synthesised) -> None:
    allowed = _allowed(sample, "EndpointRole")
    written = allowed.pop("s3:PutObject", set())
    assert {resource.split(">")[1] for resource in written} <= {"/captured/*"}
    assert {resource.split(">")[1] for resource in allowed["s3:GetObject"]} == {"/jobs/*"}
    assert not any(action.startswith(("s3:Put", "s3:Delete", "sagemaker:")) for action in allowed)


def test_the_api_may_ask_one_endpoint_and_change_nothing(sample: Synthesised) -> None:
    allowed = _allowed(sample, "ClassifyRole")
    allowed.pop("s3:PutObject", None)  # of what is given: test_corrections.py
    (endpoint,) = allowed["sagemaker:InvokeEndpoint"]
    assert endpoint.endswith(f":endpoint/{sample.project}")
    changing = ("Create", "Update", "Delete", "Put")
    assert {action for action in allowed if action.split(":")[1].startswith(changing)} == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_an_image_of_the_users_own_is_pulled_from_its_own_repository(comprehensive: Synthesised) -> None:
    repositories = _allowed(comprehensive, "TrainingJobRole")["ecr:BatchGetImage"]
    ours = "arn:<AWS::Partition>:ecr:us-east-1:123456789012:repository/our-training"
    assert {*repositories} == {ours, f"{ours}-gpu"}
    (repository,) = _allowed(comprehensive, "EndpointRole")["ecr:BatchGetImage"]
    assert repository == "arn:<AWS::Partition>:ecr:us-east-1:123456789012:repository/our-serving"
