"""What AWS documents of single operations beyond their model, for services that ministack has.

A rule takes an operation's members and raises AwsError in the service's own code. Each names AWS's page;
docs/fidelity.md lists them with their tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import eventbridge

from local_aws.core.errors import AwsError, ValidationException
from local_aws.ministack_adapter import managed_policies, permissions

Members = Mapping[str, Any]
Rule = Callable[[Members], None]

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ENVIRONMENT = 4096
MAX_TIMEOUT_SECONDS = 900
MAX_MEMORY_MB = 10_240
MAX_FUNCTION_NAME = 64
MAX_ZIP_UPLOAD = 50 * 2**20
MAX_LAYERS = 5
MAX_PAYLOAD = 6 * 2**20
MAX_ASYNC_PAYLOAD = 2**20
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    }
)
# https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
MAX_STANDARD_PARAMETER = 4096
MAX_ADVANCED_PARAMETER = 8192
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
INTEGRATION_MILLISECONDS = (50, 29_000)
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
_MINUTE = 60
_SHORT_PERIODS = (10, 20, 30)


def of(service: str, operation: str) -> tuple[Rule, ...]:
    """The rules of an operation."""
    return _RULES.get((service, operation), ())


def of_type(resource_type: str) -> tuple[Rule, ...]:
    """The rules of a stack's resource beyond those of the operation that makes it."""
    return _TYPE_RULES.get(resource_type, ())


def environment(members: Members) -> None:
    """Variables together take 4 KB at most, and some names are Lambda's."""
    variables = (members.get("Environment") or {}).get("Variables") or {}
    reserved = sorted(RESERVED_VARIABLES & variables.keys())
    if reserved:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables you "
            "have provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    size = sum(len(str(text).encode()) for pair in variables.items() for text in pair)
    if size > MAX_ENVIRONMENT:
        raise _invalid(
            "Lambda was unable to configure your environment variables because the environment variables you "
            f"have provided exceeded the {MAX_ENVIRONMENT // 1024}KB limit."
        )


def sizes(members: Members) -> None:
    """A function runs for 15 minutes at most, in 10,240 MB; its name has 64 characters."""
    _at_most(MAX_TIMEOUT_SECONDS, members.get("Timeout"), "timeout")
    _at_most(MAX_MEMORY_MB, members.get("MemorySize"), "memorySize")
    name = str(members.get("FunctionName") or "")
    if ":" not in name and len(name) > MAX_FUNCTION_NAME:
        raise ValidationException(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_FUNCTION_NAME}"
        )


def _at_most(most: int, value: Any, path: str) -> None:
    if value is not None and int(value) > most:
        raise ValidationException(
            f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}"
        )


def layers(members: Members) -> None:
    """A function has five layers at most."""
    if len(members.get("Layers") or []) > MAX_LAYERS:
        raise _invalid(f"You cannot reference more than {MAX_LAYERS} layers.")


def upload(members: Members) -> None:
    """A package that comes with the request is 50 MB at most; a larger one goes by S3."""
    text = (members.get("Code") or members).get("ZipFile") or ""
    if len(text) * 3 // 4 > MAX_ZIP_UPLOAD:
        raise AwsError(
            "RequestEntityTooLargeException",
            f"Request must be smaller than {MAX_ZIP_UPLOAD * 4 // 3} bytes for the CreateFunction operation",
            413,
        )


def assumable_by_lambda(members: Members) -> None:
    """A function's role trusts lambda.amazonaws.com."""
    role = members.get("Role")
    if not isinstance(role, str):
        return
    try:
        permissions.trusted_role(role, "lambda.amazonaws.com")
    except ValidationException as error:
        raise _invalid("The role defined for the function cannot be assumed by Lambda.") from error


def payload(members: Members) -> None:
    """An event is 6 MB at most, one for later 1 MB."""
    size = len(members.get("Payload") or b"")
    most = MAX_ASYNC_PAYLOAD if members.get("InvocationType") == "Event" else MAX_PAYLOAD
    if size > most:
        raise AwsError(
            "RequestTooLargeException",
            f"Request must be smaller than {most} bytes for the Invoke operation",
            413,
        )


def no_targets(members: Members) -> None:
    """A rule goes after its targets."""
    key = eventbridge._rule_key(members["Name"], members.get("EventBusName") or "default")
    if eventbridge._targets.get(key):
        raise ValidationException("Rule can't be deleted since it has targets.")


def parameter_size(members: Members) -> None:
    """A standard parameter holds 4 KB, an advanced one 8."""
    most = MAX_STANDARD_PARAMETER if members.get("Tier", "Standard") == "Standard" else MAX_ADVANCED_PARAMETER
    if len(str(members.get("Value") or "").encode()) > most:
        raise ValidationException(
            f"Parameters of this tier support a maximum parameter value of {most} characters; the "
            f"advanced-parameter tier has {MAX_ADVANCED_PARAMETER}."
        )


def parameter_name(members: Members) -> None:
    """Letters, digits, dots, dashes and underscores, in a path of fifteen levels at most."""
    name = str(members.get("Name") or "")
    plain = all(character.isalnum() or character in "_.-/:" for character in name)
    if name and not (plain and name.isascii()):
        raise ValidationException(
            'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can '
            "consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, "
            "numbers and the following 3 symbols .-_"
        )


def integration_timeout(members: Members) -> None:
    """An integration answers within 29 seconds."""
    low, high = INTEGRATION_MILLISECONDS
    given = members.get("timeoutInMillis")
    if given is not None and not low <= int(given) <= high:
        raise AwsError("BadRequestException", f"Timeout should be between {low} ms and {high} ms")


def alarm_period(members: Members) -> None:
    """Ten, twenty or thirty seconds, or whole minutes."""
    period = members.get("Period")
    if period is not None and int(period) not in _SHORT_PERIODS and int(period) % _MINUTE:
        raise AwsError("ValidationError", "Period must be 10, 20, 30 or a multiple of 60")


def topic_name(members: Members) -> None:
    """Letters, digits, dashes and underscores, 256 at most; a FIFO topic's ends in .fifo.

    https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
    """
    name = str(members.get("Name") or "")
    stem = name.removesuffix(".fifo")
    if name and not (
        name.isascii() and len(name) <= 256 and stem.replace("-", "").replace("_", "").isalnum()
    ):
        raise AwsError("InvalidParameter", "Invalid parameter: Topic Name")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)


def _is_attachable(members: Members) -> None:
    managed_policies.must_exist(str(members["PolicyArn"]))


def _are_attachable(properties: Members) -> None:
    for arn in properties.get("ManagedPolicyArns") or []:
        if isinstance(arn, str):
            managed_policies.must_exist(arn)


_FUNCTION = (environment, sizes, layers, assumable_by_lambda)
_RULES: dict[tuple[str, str], tuple[Rule, ...]] = {
    ("apigateway", "PutIntegration"): (integration_timeout,),
    ("events", "DeleteRule"): (no_targets,),
    ("iam", "AttachGroupPolicy"): (_is_attachable,),
    ("iam", "AttachRolePolicy"): (_is_attachable,),
    ("iam", "AttachUserPolicy"): (_is_attachable,),
    ("lambda", "CreateFunction"): (*_FUNCTION, upload),
    ("lambda", "Invoke"): (payload,),
    ("lambda", "UpdateFunctionCode"): (upload,),
    ("lambda", "UpdateFunctionConfiguration"): _FUNCTION,
    ("monitoring", "PutMetricAlarm"): (alarm_period,),
    ("sns", "CreateTopic"): (topic_name,),
    ("ssm", "PutParameter"): (parameter_size, parameter_name),
}
_TYPE_RULES: dict[str, tuple[Rule, ...]] = {
    "AWS::IAM::Group": (_are_attachable,),
    "AWS::IAM::Role": (_are_attachable,),
    "AWS::IAM::User": (_are_attachable,),
}
