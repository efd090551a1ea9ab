"""Names that the stacks would give and that something else has already.

Looked up are the names the templates fix; those that CloudFormation makes up cannot clash. A name of the
project's own stacks is no clash. One left over from a former deployment is, and says how to be rid of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cli.aws import ABSENT
from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.check.templates import text
from contract.aws_errors import code_of

_RENAME = 'choose another "project" in cdk.json'


@dataclass(frozen=True)
class Probe:
    """How to find out whether a name is taken."""

    name: str
    """The property that has it."""
    service: str
    ask: str | Callable[[Any, str, Look], bool]
    """The operation that describes the thing of that name, or what finds out by other means."""
    remove: str
    """What of the AWS CLI removes it, with {name}, {partition}, {region} and {account}."""

    def taken(self, client: Any, name: str, look: Look) -> bool:
        if isinstance(self.ask, str):
            return bool(getattr(client, self.ask)(**{self.name: name}))
        return self.ask(client, name, look)


def _topic(client: Any, name: str, look: Look) -> bool:
    arn = f"arn:{look.who.partition}:sns:{look.who.region}:{look.who.account}:{name}"
    return bool(client.get_topic_attributes(TopicArn=arn))


def _log_group(client: Any, name: str, look: Look) -> bool:
    found = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return any(each["logGroupName"] == name for each in found)


def _dashboard(client: Any, name: str, look: Look) -> bool:
    found = client.list_dashboards(DashboardNamePrefix=name)["DashboardEntries"]
    return any(each["DashboardName"] == name for each in found)


def _firewall(client: Any, name: str, look: Look) -> bool:
    request: dict[str, str] = {"Scope": "REGIONAL"}
    while True:  # botocore has no paginator for it; the last page names no marker
        answer = client.list_web_acls(**request)
        if any(each["Name"] == name for each in answer["WebACLs"]):
            return True
        if not answer.get("NextMarker"):
            return False
        request["NextMarker"] = answer["NextMarker"]


def _budget(client: Any, name: str, look: Look) -> bool:
    return bool(client.describe_budget(AccountId=look.who.account, BudgetName=name))


PROBES = {
    "AWS::IAM::Role": Probe("RoleName", "iam", "get_role", "delete-role --role-name {name}"),
    "AWS::Lambda::Function": Probe(
        "FunctionName", "lambda", "get_function_configuration", "delete-function --function-name {name}"
    ),
    "AWS::Logs::LogGroup": Probe(
        "LogGroupName", "logs", _log_group, "delete-log-group --log-group-name {name}"
    ),
    "AWS::SageMaker::Endpoint": Probe(
        "EndpointName", "sagemaker", "describe_endpoint", "delete-endpoint --endpoint-name {name}"
    ),
    "AWS::SageMaker::ModelPackageGroup": Probe(
        "ModelPackageGroupName",
        "sagemaker",
        "describe_model_package_group",
        "delete-model-package-group --model-package-group-name {name}",
    ),
    "AWS::SNS::Topic": Probe(
        "TopicName", "sns", _topic, "delete-topic --topic-arn arn:{partition}:sns:{region}:{account}:{name}"
    ),
    "AWS::SQS::Queue": Probe(
        "QueueName",
        "sqs",
        "get_queue_url",
        "delete-queue --queue-url "
        "$(aws sqs get-queue-url --queue-name {name} --query QueueUrl --output text)",
    ),
    "AWS::CloudWatch::Alarm": Probe(
        "AlarmName",
        "cloudwatch",
        lambda client, name, look: bool(client.describe_alarms(AlarmNames=[name])["MetricAlarms"]),
        "delete-alarms --alarm-names {name}",
    ),
    "AWS::CloudWatch::Dashboard": Probe(
        "DashboardName", "cloudwatch", _dashboard, "delete-dashboards --dashboard-names {name}"
    ),
    "AWS::Budgets::Budget": Probe(
        "Budget.BudgetName", "budgets", _budget, "delete-budget --account-id {account} --budget-name {name}"
    ),
    "AWS::SageMaker::InferenceComponent": Probe(
        "InferenceComponentName",
        "sagemaker",
        "describe_inference_component",
        "delete-inference-component --inference-component-name {name}",
    ),
    "AWS::WAFv2::WebACL": Probe(
        "Name",
        "wafv2",
        _firewall,
        "list-web-acls --scope REGIONAL, and delete-web-acl with its id and lock token",
    ),
}


def check(look: Look) -> Iterator[Line]:
    foreign = [_foreign(stack) for stack, found in look.deployed.items() if not found.ours]
    clashes, unknown, looked = list[Line](), list[Line](), 0
    for type_, probe in PROBES.items():
        for name in _names(look, type_, probe):
            looked += 1
            try:
                if not look.made(type_, name) and _is_taken(look, probe, name):
                    clashes.append(_taken(type_, name, probe, look))
            except _Unanswered as why:
                unknown.append(Line(Code.NAMES, Status.UNKNOWN, f"names of {type_}", str(why)))
                break
    yield from [*foreign, *clashes, *unknown]
    if not foreign and not clashes:
        yield Line(Code.NAMES, Status.OK, f"{looked} names: those looked up are free or the project's own")


class _Unanswered(Exception):
    """Nobody says whether a name is taken."""


def _foreign(stack: str) -> Line:
    why = "it has nothing of this project's template: it is somebody else's, and would be replaced"
    return Line(Code.NAMES, Status.WRONG, f"the stack {stack} exists", why, _RENAME)


def _names(look: Look, type_: str, probe: Probe) -> Iterator[str]:
    for _, _, resource in look.wanted.templates.resources(type_):
        value: Any = resource.get("Properties", {})
        for key in probe.name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if (name := text(value, look.who.pseudo_parameters)) is not None:
            yield name


def _is_taken(look: Look, probe: Probe, name: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        return probe.taken(look.target.client(probe.service), name, look)
    except ClientError as error:
        code = code_of(error)
        if code in ABSENT:
            return False
        raise _Unanswered(f"{error.response['Error'].get('Message') or error} ({code})") from None


def _taken(type_: str, name: str, probe: Probe, look: Look) -> Line:
    kind = type_.removeprefix("AWS::").replace("::", " ")
    why = "no stack of this project has it, so CloudFormation would say that it already exists"
    remove = f"aws {probe.service} {probe.remove.format(name=name, **asdict(look.who))}"
    mend = f"{_RENAME}, or, if it is a leftover: {remove}"
    return Line(Code.NAMES, Status.WRONG, f"{kind} {name} exists", why, mend)
