"""Each check says what it looked at and found; what it may not look at is unknown, never wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.check import account, bootstrap, identity, names, permissions, price
from cli.check.identity import Identity
from cli.check.line import Status
from cli.check.look import Look
from cli.check.templates import Templates
from cli.check.wanted import Lack
from cli.errors import BadTarget
from cli.target import Target
from tests.unit.cli.check.account import (
    BUILD,
    ENDPOINT_TYPE,
    WHO,
    by_status,
    cloudformation,
    launch,
    look,
    only,
    project,
    quotas,
    raising,
    saying,
    templates,
    wanted,
)

Make = Callable[..., Target]
SMALL = "Concurrently running builds for Linux/Small environment"


def test_who_asks_is_shown_with_account_region_and_profile(
    target: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    here = target("aws", sts=saying(get_caller_identity={"Account": WHO.account, "Arn": WHO.arn}))
    monkeypatch.setattr(Target, "region", property(lambda self: "eu-west-1"))
    who, line = identity.whose(here)
    assert who == Identity(WHO.account, WHO.arn, "eu-west-1", "aws")
    assert all(word in line.looked_at for word in (WHO.account, "eu-west-1", "user/ann", "profile work"))


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (raising("ExpiredToken", "The security token is expired"), "aws sso login --profile work"),
        (raising("InvalidClientTokenId"), "aws configure --profile work"),
    ],
)
def test_credentials_of_no_use_are_wrong_with_the_command_that_renews_them(
    target: Make, monkeypatch: pytest.MonkeyPatch, error: Any, mend: str
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    who, line = identity.whose(target(sts=saying(get_caller_identity=error)))
    assert who is None
    assert (line.status, line.mend) == (Status.WRONG, mend)


def test_missing_credentials_are_wrong_too(target: Make) -> None:
    from botocore.exceptions import NoCredentialsError

    def nobody(**request: Any) -> Any:
        raise NoCredentialsError

    who, line = identity.whose(target(sts=saying(get_caller_identity=nobody)))
    assert (who, line.status) == (None, Status.WRONG)


def test_when_aws_does_not_answer_nobody_is_told_to_renew_credentials(target: Make) -> None:
    from botocore.exceptions import EndpointConnectionError

    def away(**request: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sts.amazonaws.com")

    who, line = identity.whose(target(sts=saying(get_caller_identity=away)))
    assert (who, line.status) == (None, Status.WRONG)
    assert "aws configure" not in line.mend
    assert "proxy" in line.mend


def test_without_a_region_nothing_else_is_asked(target: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Target) -> str:
        raise BadTarget("No AWS region is set.")

    monkeypatch.setattr(Target, "region", property(none))
    who, line = identity.whose(target("aws"))
    assert (who, line.status, line.mend) == (None, Status.WRONG, "export AWS_REGION=eu-west-1")


def place(target: Make, partition: str, region: str, *lacks: Lack) -> Any:
    who = Identity(WHO.account, WHO.arn, region, partition)
    return only(account.of_partition(look(target("aws"), wanted(lacks=lacks), who)))


def test_the_supported_partition_is_named_where_it_is_another(target: Make) -> None:
    assert place(target, "aws", "eu-west-1").status is Status.OK
    for partition, region in (("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")):
        line = place(target, partition, region)
        assert (line.status, "the partition aws alone" in line.wrong) == (Status.WRONG, True)


def test_a_region_without_a_type_of_the_templates_is_wrong_and_says_what_to_set(target: Make) -> None:
    line = place(target, "aws", "eu-north-1", Lack("no budget here", "set it to null"))
    assert (line.status, line.wrong, line.mend) == (Status.WRONG, "no budget here", "set it to null")


def test_a_region_that_lacks_a_service_is_wrong(target: Make) -> None:
    line = place(target, "aws", "mars-north-1")
    assert (line.status, "sagemaker" in line.wrong) == (Status.WRONG, True)


def bootstrapped(target: Make, stacks: dict[str, str], version: Any = None, bucket: Any = None) -> Any:
    ssm = saying(get_parameter=version or raising("ParameterNotFound"))
    s3 = saying(head_bucket=raising("404") if bucket is None else bucket)
    here = target("aws", cloudformation=cloudformation(stacks), ssm=ssm, s3=s3)
    return only(bootstrap.check(look(here)))


def test_an_account_without_the_cdks_stack_is_fine_because_up_makes_it(target: Make) -> None:
    assert bootstrapped(target, {}).status is Status.OK


def test_a_bucket_that_a_deleted_bootstrap_left_is_in_the_way_of_the_next_one(target: Make) -> None:
    line = bootstrapped(target, {}, bucket={})
    assert line.status is Status.WRONG
    assert "s3 rb s3://cdk-hnb659fds-assets-111122223333-us-east-1" in line.mend
    assert bootstrapped(target, {}, bucket=raising("403")).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        ("CREATE_IN_PROGRESS", "describe-stacks"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "describe-stacks"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ],
)
def test_a_bootstrap_that_others_use_is_not_told_to_be_deleted(target: Make, status: str, mend: str) -> None:
    line = bootstrapped(target, {"CDKToolkit": status}, {"Parameter": {"Value": "21"}})
    assert line.status is Status.WRONG
    assert mend in line.mend
    assert "delete-stack" not in line.mend


@pytest.mark.parametrize(
    ("status", "version", "expected"),
    [
        ("CREATE_COMPLETE", 6, Status.OK),
        ("UPDATE_ROLLBACK_COMPLETE", 21, Status.OK),
        ("CREATE_COMPLETE", 5, Status.WRONG),
        ("CREATE_COMPLETE", None, Status.WRONG),
        ("ROLLBACK_COMPLETE", 6, Status.WRONG),
        ("DELETE_FAILED", 6, Status.WRONG),
        ("REVIEW_IN_PROGRESS", 6, Status.WRONG),
    ],
)
def test_the_cdks_stack_has_to_be_whole_and_new_enough(
    target: Make, status: str, version: int | None, expected: Status
) -> None:
    answer = None if version is None else {"Parameter": {"Value": str(version)}}
    line = bootstrapped(target, {"CDKToolkit": status}, answer)
    assert line.status is expected
    assert ("cdk@2 bootstrap aws://111122223333/us-east-1" in line.mend) == (expected is Status.WRONG)


def test_a_version_that_may_not_be_read_is_not_taken_for_missing(target: Make) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        bootstrapped(target, {"CDKToolkit": "CREATE_COMPLETE"}, raising("AccessDeniedException"))


def built(target: Make, resources: dict[str, Any], value: float) -> Any:
    here = target("aws", service_quotas=quotas({SMALL: value}))
    return only(account.of_builds(look(here, wanted(templates=templates(training=resources)))))


TWO = {"Project": project(), "A": {"Type": BUILD}, "B": {"Type": BUILD}}
IN_TURN = {**TWO, "B": {"Type": BUILD, "DependsOn": ["Project", "A"]}}


@pytest.mark.parametrize(
    ("resources", "value", "expected"),
    [
        (TWO, 2, Status.OK),
        (TWO, 1, Status.WRONG),
        (IN_TURN, 1, Status.OK),
        (IN_TURN, 0, Status.WRONG),
        ({}, 0, Status.OK),
        ({**TWO, "Project": project("BUILD_GENERAL1_LARGE")}, 9, Status.UNKNOWN),
    ],
)
def test_as_many_builds_are_allowed_as_run_at_a_time(
    target: Make, resources: dict[str, Any], value: float, expected: Status
) -> None:
    assert built(target, resources, value).status is expected


@pytest.mark.parametrize(
    ("setting", "role", "expected"),
    [
        ("create", "", Status.OK),
        ("create", "arn:aws:iam::1:role/theirs", Status.OK),
        ("create", "arn:aws:iam::1:role/gone", Status.LATER),
        ("create", "arn:aws:iam::1:role/hidden", Status.OK),
        ("existing", "arn:aws:iam::1:role/theirs", Status.OK),
        ("existing", "arn:aws:iam::1:role/gone", Status.LATER),
        ("existing", "", Status.WRONG),
    ],
)
def test_the_accounts_role_for_api_logs_is_there_or_will_be(
    target: Make, setting: str, role: str, expected: Status
) -> None:
    def get_role(RoleName: str) -> Any:
        return {"gone": raising("NoSuchEntity"), "hidden": raising("AccessDenied")}.get(RoleName, dict)()

    here = target(
        "aws",
        apigateway=saying(get_account={"cloudwatchRoleArn": role} if role else {}),
        iam=saying(get_role=get_role),
    )
    assert only(account.of_log_role(look(here, wanted(account_log_role=setting)))).status is expected


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "classifier-endpoint"}}
REGIONAL = {
    "Type": "AWS::IAM::Role",
    "Properties": {"RoleName": {"Fn::Join": ["-", ["classifier-endpoint", {"Ref": "AWS::Region"}]]}},
}
GENERATED = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": {"Ref": "Other"}}}


def existing_roles(*existing: str) -> Any:
    def get_role(RoleName: str) -> Any:
        return {"Role": {}} if RoleName in existing else raising("NoSuchEntity")()

    return saying(get_role=get_role)


def named(target: Make, template: dict[str, Any], iam: Any, stacks: Any = None) -> Any:
    here = target("aws", iam=iam, cloudformation=stacks or cloudformation({}))
    return by_status(names.check(look(here, wanted(templates=templates(training=template)))))


def test_free_names_are_ok_and_names_made_up_later_are_not_looked_up(target: Make) -> None:
    found = named(target, {"R": ROLE, "G": GENERATED}, existing_roles())
    assert only(found[Status.OK]).looked_at.startswith("1 names")


@pytest.mark.parametrize(
    ("template", "name"),
    [(ROLE, "classifier-endpoint"), (REGIONAL, "classifier-endpoint-us-east-1")],
)
def test_a_name_that_something_else_has_is_wrong_with_how_to_be_rid_of_a_leftover(
    target: Make, template: dict[str, Any], name: str
) -> None:
    line = only(named(target, {"R": template}, existing_roles(name))[Status.WRONG])
    assert (name in line.looked_at, f"aws iam delete-role --role-name {name}" in line.mend) == (True, True)


def test_a_name_of_the_projects_own_stack_is_no_clash(target: Make) -> None:
    mine = {"classifier-training": [("R", "AWS::IAM::Role", "classifier-endpoint")]}
    stacks = cloudformation({"classifier-training": "UPDATE_COMPLETE"}, mine)
    assert named(target, {"R": ROLE}, existing_roles("classifier-endpoint"), stacks).keys() == {Status.OK}
    # An id that ends alike is the name of another thing when its type is another.
    other = {"classifier-training": [("R", "AWS::Logs::LogGroup", "/aws/classifier-endpoint")]}
    stacks = cloudformation({"classifier-training": "UPDATE_COMPLETE"}, other)
    assert Status.WRONG in named(target, {"R": ROLE}, existing_roles("classifier-endpoint"), stacks)


def test_what_somebody_elses_stack_of_our_name_made_is_not_ours(target: Make) -> None:
    theirs = {"classifier-training": [("Theirs", "AWS::IAM::Role", "classifier-endpoint")]}
    stacks = cloudformation({"classifier-training": "CREATE_COMPLETE"}, theirs)
    wrong = named(target, {"R": ROLE}, existing_roles("classifier-endpoint"), stacks)[Status.WRONG]
    assert [each.looked_at.split()[:2] for each in wrong] == [["the", "stack"], ["IAM", "Role"]]


def test_what_a_stack_of_ours_has_deleted_and_somebody_made_again_is_not_ours(target: Make) -> None:
    stacks = cloudformation(
        {"classifier-training": "UPDATE_COMPLETE"},
        {"classifier-training": [("R", "AWS::IAM::Role", "classifier-endpoint")]},
        "DELETE_COMPLETE",
    )
    found = named(target, {"R": ROLE}, existing_roles("classifier-endpoint"), stacks)
    assert "IAM Role" in only(found[Status.WRONG]).looked_at


@pytest.mark.parametrize(
    ("type_", "name", "physical_id"),
    [
        ("AWS::SNS::Topic", {"TopicName": "n"}, "arn:aws:sns:us-east-1:111122223333:n"),
        ("AWS::SQS::Queue", {"QueueName": "n"}, "https://sqs.us-east-1.amazonaws.com/111122223333/n"),
    ],
)
def test_a_thing_of_our_own_is_known_by_its_arn_or_address(
    target: Make, type_: str, name: dict[str, str], physical_id: str
) -> None:
    stacks = cloudformation(
        {"classifier-training": "CREATE_COMPLETE"}, {"classifier-training": [("X", type_, physical_id)]}
    )
    here = target("aws", cloudformation=stacks)  # with no other client: nothing else may be asked
    made = templates(training={"X": {"Type": type_, "Properties": name}})
    assert by_status(names.check(look(here, wanted(templates=made)))).keys() == {Status.OK}


def test_a_firewall_of_our_own_is_known_by_the_name_in_its_id(target: Make) -> None:
    stacks = cloudformation(
        {"classifier-training": "CREATE_COMPLETE"},
        {"classifier-training": [("X", "AWS::WAFv2::WebACL", "classifier|0a1b-2c|REGIONAL")]},
    )
    firewall = {"Type": "AWS::WAFv2::WebACL", "Properties": {"Name": "classifier"}}
    here = target("aws", cloudformation=stacks, wafv2=saying(list_web_acls=raising("AccessDenied")))
    found = by_status(names.check(look(here, wanted(templates=templates(training={"X": firewall})))))
    assert found.keys() == {Status.OK}


def test_a_firewall_is_looked_for_on_every_page(target: Make) -> None:
    def pages(Scope: str, NextMarker: str = "") -> dict[str, Any]:
        return {"WebACLs": [{"Name": "classifier"}]} if NextMarker else {"WebACLs": [], "NextMarker": "more"}

    firewall = {"Type": "AWS::WAFv2::WebACL", "Properties": {"Name": "classifier"}}
    here = target("aws", cloudformation=cloudformation({}), wafv2=saying(list_web_acls=pages))
    found = by_status(names.check(look(here, wanted(templates=templates(training={"X": firewall})))))
    assert found.keys() == {Status.WRONG}


@pytest.mark.parametrize("type_", names.PROBES)
def test_the_command_that_removes_a_leftover_has_nothing_left_to_fill_in(type_: str) -> None:
    probe = names.PROBES[type_]
    command = names._taken(type_, "n", probe, Look(target=None, who=WHO, wanted=None)).mend  # type: ignore[arg-type]
    assert "{" not in command
    if type_ == "AWS::Budgets::Budget":
        assert f"--account-id {WHO.account}" in command


def test_a_stack_of_our_name_with_nothing_of_our_template_is_somebody_elses(target: Make) -> None:
    theirs = {"classifier-training": [("Web", "AWS::EC2::Instance", "i-1")]}
    stacks = cloudformation({"classifier-training": "CREATE_COMPLETE"}, theirs)
    line = only(named(target, {"R": ROLE}, existing_roles(), stacks)[Status.WRONG])
    assert ("classifier-training" in line.looked_at, '"project"' in line.mend) == (True, True)
    empty = cloudformation({"classifier-training": "REVIEW_IN_PROGRESS"})
    assert Status.WRONG not in named(target, {"R": ROLE}, existing_roles(), empty)


def test_a_name_nobody_may_look_up_is_unknown(target: Make) -> None:
    found = named(target, {"R": ROLE}, saying(get_role=raising("AccessDenied", "not authorized")))
    assert Status.WRONG not in found
    assert "not authorized" in only(found[Status.UNKNOWN]).wrong


@pytest.mark.parametrize(
    ("type_", "answers", "gone"),
    [
        ("AWS::Logs::LogGroup", {"describe_log_groups": {"logGroups": [{"logGroupName": "n"}]}}, None),
        ("AWS::Logs::LogGroup", {"describe_log_groups": {"logGroups": [{"logGroupName": "n2"}]}}, True),
        ("AWS::Lambda::Function", {"get_function_configuration": {"FunctionName": "n"}}, None),
        ("AWS::Lambda::Function", {"get_function_configuration": raising("ResourceNotFoundException")}, True),
        ("AWS::SageMaker::Endpoint", {"describe_endpoint": {"EndpointName": "n"}}, None),
        ("AWS::SageMaker::Endpoint", {"describe_endpoint": raising("ValidationException")}, True),
        ("AWS::SageMaker::ModelPackageGroup", {"describe_model_package_group": {"a": 1}}, None),
        ("AWS::SNS::Topic", {"get_topic_attributes": {"Attributes": {}}}, None),
        ("AWS::SNS::Topic", {"get_topic_attributes": raising("NotFound")}, True),
        ("AWS::SQS::Queue", {"get_queue_url": {"QueueUrl": "u"}}, None),
        ("AWS::SQS::Queue", {"get_queue_url": raising("AWS.SimpleQueueService.NonExistentQueue")}, True),
        ("AWS::CloudWatch::Alarm", {"describe_alarms": {"MetricAlarms": [{"AlarmName": "n"}]}}, None),
        ("AWS::CloudWatch::Alarm", {"describe_alarms": {"MetricAlarms": []}}, True),
        ("AWS::CloudWatch::Dashboard", {"list_dashboards": {"DashboardEntries": []}}, True),
        (
            "AWS::CloudWatch::Dashboard",
            {"list_dashboards": {"DashboardEntries": [{"DashboardName": "n2"}]}},
            True,
        ),
        (
            "AWS::CloudWatch::Dashboard",
            {"list_dashboards": {"DashboardEntries": [{"DashboardName": "n"}]}},
            None,
        ),
        ("AWS::SageMaker::InferenceComponent", {"describe_inference_component": {"a": 1}}, None),
        (
            "AWS::SageMaker::InferenceComponent",
            {"describe_inference_component": raising("ValidationException")},
            True,
        ),
        ("AWS::WAFv2::WebACL", {"list_web_acls": {"WebACLs": [{"Name": "n"}]}}, None),
        ("AWS::WAFv2::WebACL", {"list_web_acls": {"WebACLs": [{"Name": "n2"}]}}, True),
        ("AWS::Budgets::Budget", {"describe_budget": {"Budget": {}}}, None),
        ("AWS::Budgets::Budget", {"describe_budget": raising("NotFoundException")}, True),
    ],
)
def test_each_kind_of_thing_is_found_or_missed_as_its_service_says(
    target: Make, type_: str, answers: dict[str, Any], gone: bool | None
) -> None:
    probe = names.PROBES[type_]
    value: Any = "n"
    for key in reversed(probe.name.split(".")):
        value = {key: value}
    here = target("aws", cloudformation=cloudformation({}), **{probe.service: saying(**answers)})
    stacks = templates(training={"X": {"Type": type_, "Properties": value}})
    found = by_status(names.check(look(here, wanted(templates=stacks))))
    assert found.keys() == ({Status.OK} if gone else {Status.WRONG})


def allowed(target: Make, denied: set[str], stacks: dict[str, str], who: Identity = WHO) -> Any:
    asked: list[str] = []

    def simulate(PolicySourceArn: str, ActionNames: list[str], ResourceArns: list[str]) -> Any:
        asked.append(PolicySourceArn)
        results = [
            {"EvalActionName": name, "EvalDecision": "implicitDeny" if name in denied else "allowed"}
            for name in ActionNames
        ]
        return {"EvaluationResults": results}

    def get_role(RoleName: str) -> Any:
        assert RoleName == "dev"
        return {"Role": {"Arn": "arn:aws:iam::111122223333:role/deep/path/dev"}}

    iam = saying(simulate_principal_policy=simulate, get_role=get_role)
    here = target("aws", iam=iam, cloudformation=cloudformation(stacks))
    return by_status(permissions.check(look(here, who=who))), asked


def test_a_caller_who_may_not_deploy_is_told_what_he_lacks(target: Make) -> None:
    found, _ = allowed(target, {"sts:AssumeRole"}, {"CDKToolkit": "CREATE_COMPLETE"})
    line = only(found[Status.WRONG])
    assert ("sts:AssumeRole" in line.looked_at, "cdk-hnb659fds-deploy-role" in line.wrong) == (True, True)
    found, _ = allowed(target, {"cloudformation:DescribeStackEvents"}, {"CDKToolkit": "CREATE_COMPLETE"})
    assert "cloudformation:DescribeStackEvents" in only(found[Status.WRONG]).looked_at
    found, _ = allowed(target, {"iam:CreateRole"}, {"CDKToolkit": "CREATE_COMPLETE"})
    assert found.keys() == {Status.OK}, "who need not bootstrap needs none of it"
    found, _ = allowed(target, {"iam:CreateRole"}, {})
    assert "iam:CreateRole" in only(found[Status.WRONG]).looked_at


@pytest.mark.parametrize(
    "action", ["sagemaker:DescribeEndpoint", "ssm:GetParameterHistory", "apigateway:GET"]
)
def test_a_caller_who_may_not_read_what_up_reads_itself_is_told_before_it_deploys(
    target: Make, action: str
) -> None:
    found, _ = allowed(target, {action}, {"CDKToolkit": "CREATE_COMPLETE"})
    assert action in only(found[Status.WRONG]).looked_at


def test_all_that_changing_a_live_endpoint_calls_is_asked_for(target: Make) -> None:
    calls = {
        *("sagemaker:DescribeEndpointConfig", "application-autoscaling:DescribeScalableTargets"),
        *("ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"),
    }
    found, _ = allowed(target, calls, {"CDKToolkit": "CREATE_COMPLETE"})
    told = " ".join(line.looked_at for line in found[Status.LATER])
    assert all(call in told for call in calls)


def test_what_only_running_needs_stops_no_deployment(target: Make) -> None:
    found, _ = allowed(target, {"lambda:InvokeFunction"}, {"CDKToolkit": "CREATE_COMPLETE"})
    told = {(line.looked_at.partition(":")[0], line.wrong.rpartition(":")[2]) for line in found[Status.LATER]}
    assert told == {
        ("tuning", "classifier-launch-tuning"),
        ("training without a search", "classifier-launch-training"),
        ("looking at a data set", "classifier-launch-doctor"),
        ("answering many pictures", "classifier-launch-batch"),
    }


def test_a_session_is_asked_for_by_its_roles_whole_arn_and_root_not_at_all(target: Make) -> None:
    session = Identity(
        WHO.account, "arn:aws:sts::111122223333:assumed-role/dev/ann", WHO.region, WHO.partition
    )
    _, asked = allowed(target, set(), {}, session)
    assert set(asked) == {"arn:aws:iam::111122223333:role/deep/path/dev"}
    root = Identity(WHO.account, "arn:aws:iam::111122223333:root", WHO.region, WHO.partition)
    found, asked = allowed(target, {"sts:AssumeRole"}, {}, root)
    assert (found.keys(), asked) == ({Status.OK}, [])


def test_the_cost_by_the_hour_is_of_the_least_and_of_the_most_instances(target: Make) -> None:
    one, three = (
        next(price.check(look(target("aws"), wanted(min_instances=least, max_instances=most)))).looked_at
        for least, most in ((1, 3), (3, 3))
    )
    assert float(one.split(" to ")[1].split()[0]) == float(three.split("then ")[1].split()[0])
    assert float(one.split("then ")[1].split()[0]) < float(three.split("then ")[1].split()[0])


def test_the_templates_that_want_the_newest_bootstrap_decide(tmp_path: Path) -> None:
    stacks = {
        name: {
            "type": "aws:cloudformation:stack",
            "properties": {
                "templateFile": "template.json",
                "requiresBootstrapStackVersion": version,
                "bootstrapStackVersionSsmParameter": "/cdk-bootstrap/hnb659fds/version",
            },
        }
        for name, version in (("classifier-storage", 6), ("classifier-api", 21))
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": stacks}))
    (tmp_path / "template.json").write_text('{"Resources": {}}')
    assert Templates.read(tmp_path).bootstrap_version == 21


def test_the_cost_is_by_the_hour_and_for_the_first_search(target: Make) -> None:
    launches = (launch("a", most_usd=4.5), launch("b", most_usd=None))
    found = by_status(price.check(look(target("aws"), wanted(launches=launches))))
    hourly, search = found[Status.OK]
    assert ENDPOINT_TYPE in hourly.looked_at
    assert "a 4.50" in search.looked_at
    assert "b" in only(found[Status.UNKNOWN]).looked_at


@pytest.mark.parametrize("usd", [0, 20])
def test_what_searches_that_start_by_themselves_cost_a_month_is_said(target: Make, usd: int) -> None:
    found = by_status(price.check(look(target("aws"), wanted(retrain_usd_month=usd))))
    said = [line.looked_at for line in found[Status.OK] if "20 USD a month" in line.looked_at]
    assert len(said) == (usd > 0)


@pytest.mark.parametrize(("types", "words"), [((), "serverless"), (("ml.c9z.huge",), "does not have")])
def test_an_endpoint_without_a_price_is_said_to_have_none(
    target: Make, types: tuple[str, ...], words: str
) -> None:
    line = next(price.check(look(target("aws"), wanted(endpoint_types=types))))
    assert words in line.looked_at
