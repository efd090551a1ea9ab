"""Whose fault a failed promotion is, by AWS's own error codes.

A model is to blame when its container does not answer, or answers badly, and the alarms ring. It is not when
AWS has no instance, or this account may not have one, or a role may not do something, or the image cannot be
pulled: then the package stays Approved and waits. What no code tells is taken for the model's.

CloudFormation quotes the code of the call it made, or its own class of it:
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
An endpoint that was accepted and then failed quotes its FailureReason:
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-troubleshooting.html
https://repost.aws/knowledge-center/sagemaker-insufficient-capacity-error
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from functions.common import sentences


class Cause(StrEnum):
    """What stood in the way."""

    QUOTA = "quota"
    CAPACITY = "capacity"
    """AWS had no instance of the type left."""
    PERMISSION = "permission"
    IMAGE = "image"
    """The container image is not there, or may not be pulled."""
    SERVICE = "service"
    """AWS was busy, or failed by itself."""
    MODEL = "model"


_OF_CODES: Mapping[Cause, frozenset[str]] = {
    Cause.QUOTA: frozenset({"ResourceLimitExceeded", "ServiceLimitExceeded", "LimitExceededException"}),
    Cause.CAPACITY: frozenset(
        {"InsufficientInstanceCapacity", "InsufficientCapacity", "InsufficientCapacityException"}
        | {"CapacityError", "InsufficientCapacityError"}
    ),
    Cause.IMAGE: frozenset(
        {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"}
        | {"BatchGetImage", "ImagePullFailure", "CannotPullContainerError", "RepositoryNotFoundException"}
    ),
    Cause.PERMISSION: frozenset(
        {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"}
        | {"InvalidCredentials", "sts:AssumeRole", "s3:GetObject", "iam:PassRole"}
    ),
    Cause.SERVICE: frozenset(
        {"Throttling", "ThrottlingException", "ServiceUnavailable", "ServiceInternalError"}
        | {"InternalFailure", "InternalServerError", "NetworkFailure"}
    ),
}


_OF_SENTENCES: Mapping[Cause, Callable[[str], bool]] = {
    Cause.QUOTA: sentences.is_over_quota,
    Cause.IMAGE: sentences.image_is_missing,
    Cause.PERMISSION: sentences.is_not_authorized,
    Cause.SERVICE: sentences.was_throttled,
}
"""For a reason without a code: CloudFormation's newer handlers quote a service as "... (Service: X, Status
Code: 400, Request ID: ...)", and their own class for it may be GeneralServiceException, which tells nothing.
"""


def of(reason: str) -> Cause:
    """The cause of a failure with this reason; of several codes, the first in the table's order counts, and
    sentences only where there is none.
    """
    words = sentences.words_of(reason)
    for cause, codes in _OF_CODES.items():
        if words & codes:
            return cause
    return next((cause for cause, says in _OF_SENTENCES.items() if says(reason)), Cause.MODEL)
