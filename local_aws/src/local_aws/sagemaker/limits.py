"""The account's quotas, kept to.

Whoever starts instances asks here first, in the transaction that writes down what is started, so that two
callers cannot both take the last one. AWS's sentence, with its numbers, is quoted in many public threads:
https://github.com/aws/amazon-sagemaker-examples/issues/593
"""

from __future__ import annotations

from local_aws.core.context import LocalAws
from local_aws.core.errors import ResourceLimitExceeded
from local_aws.quotas import book, names


def check(aws: LocalAws, quota: str, used: int, more: int, unit: str = "Instances") -> None:
    """ResourceLimitExceeded if the quota has no room for so many more."""
    most = int(book.value(aws.store, names.SAGEMAKER, quota))
    if more > 0 and used + more > most:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{quota}' is {most} {unit}, with current utilization of "
            f"{used} {unit} and a request delta of {more} {unit}. Please use AWS Service Quotas to "
            "request an increase for this quota. If AWS Service Quotas is not available, contact AWS support "
            "to request an increase for this quota."
        )
