"""Requests to ministack's services, held against botocore's model and AWS's documented rules.

ministack takes nearly every name, length and value. Here a request is read back into its members
(`core.wire`), every length, range, pattern and enumeration of the model is checked (`core.validation`), and
then the operation's own rules (`rules`). A resource of a stack goes through the same: its properties are the
members of the operation that makes it. What AWS would refuse is refused in the service's own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from local_aws.core import validation, wire
from local_aws.core.api import HttpAnswer
from local_aws.core.errors import AwsError
from local_aws.ministack_adapter import rules, stacks
from local_aws.ministack_adapter.requests import Request, check_first

# ministack's name of a service -> botocore's, and the code by which the service refuses a broken constraint.
SERVICES = {
    "apigateway": ("apigateway", "BadRequestException"),
    "budgets": ("budgets", "InvalidParameterException"),
    "cloudformation": ("cloudformation", "ValidationError"),
    "codebuild": ("codebuild", "InvalidInputException"),
    "ecr": ("ecr", "InvalidParameterException"),
    "events": ("events", "ValidationException"),
    "iam": ("iam", "ValidationError"),
    "lambda": ("lambda", "ValidationException"),
    "logs": ("logs", "InvalidParameterException"),
    "monitoring": ("cloudwatch", "ValidationError"),
    "sns": ("sns", "InvalidParameter"),
    "sqs": ("sqs", "InvalidParameterValue"),
    "ssm": ("ssm", "ValidationException"),
    "states": ("stepfunctions", "ValidationException"),
    "sts": ("sts", "ValidationError"),
    "wafv2": ("wafv2", "WAFInvalidParameterException"),
}
# What every job and function sends in a stream, by our own code or by boto3's: left to ministack.
_HOT = {"PutLogEvents", "PutMetricData"}
# type -> (service, operation that makes it, properties whose name there is another)
_TYPES: dict[str, tuple[str, str, dict[str, str]]] = {
    "AWS::CloudWatch::Alarm": ("monitoring", "PutMetricAlarm", {}),
    "AWS::CloudWatch::Dashboard": ("monitoring", "PutDashboard", {}),
    "AWS::CodeBuild::Project": ("codebuild", "CreateProject", {}),
    "AWS::ECR::Repository": ("ecr", "CreateRepository", {}),
    "AWS::Events::Rule": ("events", "PutRule", {}),
    "AWS::IAM::ManagedPolicy": ("iam", "CreatePolicy", {"ManagedPolicyName": "PolicyName"}),
    "AWS::IAM::Policy": ("iam", "PutRolePolicy", {}),
    "AWS::IAM::Role": ("iam", "CreateRole", {}),
    "AWS::Lambda::Function": ("lambda", "CreateFunction", {}),
    "AWS::Logs::LogGroup": ("logs", "CreateLogGroup", {}),
    "AWS::SNS::Topic": ("sns", "CreateTopic", {"TopicName": "Name"}),
    "AWS::SQS::Queue": ("sqs", "CreateQueue", {}),
    "AWS::SSM::Parameter": ("ssm", "PutParameter", {}),
}


def install() -> None:
    """Put the checks before the services and before the resource types."""
    check_first(SERVICES, refusal)
    for resource_type in _TYPES:
        stacks.check_first(resource_type, partial(_check_resource, resource_type))


def refusal(request: Request) -> HttpAnswer | None:
    """The answer to a request that AWS would refuse; None: ministack may have it."""
    model = wire.model_of(SERVICES[request.service][0])
    name = wire.operation_of(model, request)
    if name is None or name in _HOT:
        return None
    members = wire.decode(model, name, request)
    if members is None:
        return None
    try:
        check(request.service, name, members)
    except AwsError as error:
        return request.refused(error.code, error.message, error.status)
    return None


def check(service: str, operation: str, members: Mapping[str, Any], *, complete: bool = True) -> None:
    """Raise AwsError for the members of an operation that AWS would refuse."""
    botocore_name, code = SERVICES[service]
    shape = wire.model_of(botocore_name).operation_model(operation).input_shape
    errors = validation.violations(shape, members, complete=complete)
    if errors:
        raise AwsError(code, validation.summary(errors))
    for rule in rules.of(service, operation):
        rule(members)


def _check_resource(resource_type: str, verb: str, properties: dict[str, Any], _id: str | None) -> None:
    if verb != "delete":
        check_properties(resource_type, properties)


def check_properties(resource_type: str, properties: Mapping[str, Any]) -> None:
    """Raise AwsError for a resource's properties that the operation which makes it would refuse."""
    service, operation, renamed = _TYPES[resource_type]
    shape = wire.model_of(SERVICES[service][0]).operation_model(operation).input_shape
    members_by_name = {name.lower(): name for name in shape.members}
    members = {
        members_by_name[name.lower()]: _typed(shape.members[members_by_name[name.lower()]], value)
        for key, value in properties.items()
        if (name := renamed.get(key, key)).lower() in members_by_name
    }
    check(service, operation, members, complete=False)
    for rule in rules.of_type(resource_type):
        rule(properties)


def _typed(shape: Any, value: Any) -> Any:
    """A template writes numbers as text as well."""
    number = shape.type_name in ("integer", "long", "float", "double")
    if number and isinstance(value, str) and value.lstrip("-").isdecimal():
        return int(value)
    return value
