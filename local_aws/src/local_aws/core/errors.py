"""The errors of the local AWS, in AWS's own words.

A handler raises `AwsError`; `core.api` turns it into the answer a client of that service would get from AWS
(`botocore.exceptions.ClientError` with this code and message). The helpers below name the few errors nearly
every SageMaker operation has, so that no handler spells a code by hand.
"""

from __future__ import annotations


class AwsError(Exception):
    """An error as an AWS service answers it: a code, a message for people, and the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class ValidationException(AwsError):
    """The request itself is wrong (SageMaker also answers so for most things that do not exist)."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class ResourceNotFound(AwsError):
    """What the request names does not exist, for operations whose model declares it (tuning jobs, ...)."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFound", message)


def could_not_find(what: str, arn_or_name: str) -> ValidationException:
    """SageMaker's answer for a missing model, endpoint, configuration or component:

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html#API_DescribeEndpoint_Errors
    """
    return ValidationException(f'Could not find {what} "{arn_or_name}".')


class ResourceInUse(AwsError):
    """A resource of that name exists already, or is busy."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUse", message)


class ResourceLimitExceeded(AwsError):
    """A quota of the account (here: of the machine) would be passed."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceLimitExceeded", message)


class AccessDenied(AwsError):
    """The caller may not do this; the message names the caller, the action and the resource as IAM does."""

    def __init__(self, message: str) -> None:
        super().__init__("AccessDeniedException", message, status=400)
