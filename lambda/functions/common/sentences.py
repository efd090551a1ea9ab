"""The cases that AWS tells apart by a sentence only: one error code for many things, so its words are read.

Nowhere else does a function look into a sentence. Where AWS has a code, the code is asked.
"""

from __future__ import annotations

import re

from contract.aws_errors import code_of, message_of


def no_such_stack(error: Exception) -> bool:
    """DescribeStacks: "a ValidationError is returned" for a stack that is not there, and for a bad request.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
    """
    return code_of(error) == "ValidationError" and "does not exist" in message_of(error)


def no_updates(error: Exception) -> bool:
    """UpdateStack with nothing changed, a ValidationError too.

    Source: https://repost.aws/knowledge-center/cloudformation-no-updates-errors
    """
    return "No updates are to be performed" in message_of(error)


def stack_is_busy(error: Exception) -> bool:
    """UpdateStack: "Stack:… is in UPDATE_IN_PROGRESS state and can not be updated", a ValidationError too."""
    return "_IN_PROGRESS" in message_of(error)


def was_cancelled(status_reason: str) -> bool:
    """A stack event of a resource that failed only because another one had: "Resource update cancelled".

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
    """
    return "cancelled" in status_reason


def missing(error: Exception) -> bool:
    """SageMaker's Describe calls: ResourceNotFound, or for older resources a ValidationException ("Requested
    resource not found.", "Could not find endpoint …", "ModelPackage … does not exist.").

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
    """
    if code_of(error) in ("ResourceNotFound", "ResourceNotFoundException"):
        return True
    message = message_of(error).lower()
    words = ("not found", "could not find", "does not exist")
    return code_of(error) == "ValidationException" and any(each in message for each in words)


def words_of(reason: str) -> set[str]:
    """The words of a failure's reason, among which are AWS's codes: "(…; Error Code: ResourceLimitExceeded;
    …)", "HandlerErrorCode: AccessDenied", "due to InsufficientInstanceCapacity error", "CapacityError: …",
    and the action that a role may not do, "ecr:BatchGetImage".
    """
    return set(re.findall(r"[a-z0-9]+:[A-Z][A-Za-z]+|[A-Za-z]+", reason))


def image_is_missing(reason: str) -> bool:
    """CreateModel: a ValidationException, "Requested image … not found."."""
    return "Requested image" in reason and "not found" in reason


def is_over_quota(reason: str) -> bool:
    """CreateEndpoint: "The account-level service limit '… for endpoint usage' is 0 Instances, …"."""
    return "account-level service limit" in reason


def is_not_authorized(reason: str) -> bool:
    """Of any service: "User: … is not authorized to perform: sagemaker:CreateEndpoint on resource: …"."""
    return "is not authorized to perform" in reason


def was_throttled(reason: str) -> bool:
    """Of any service: "Rate exceeded"."""
    return "Rate exceeded" in reason


def endpoint_not_found(error: Exception) -> bool:
    """InvokeEndpoint: a ValidationError "Endpoint … of account … not found.", also of one not yet up."""
    return _invalid(error) and "not found" in message_of(error).lower()


def no_capacity(error: Exception) -> bool:
    """InvokeEndpoint of an inference component without a copy: a ValidationError that tells of no capacity.

    Source: https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-zero-instances.html
    """
    return _invalid(error) and "no capacity" in message_of(error).lower()


def _invalid(error: Exception) -> bool:
    return code_of(error) in ("ValidationError", "ValidationException")
