"""What the account of this server has of each quota: its profile's value, or what was granted to it since."""

from __future__ import annotations

from functools import cache

from local_aws.core.errors import ResourceLimitExceeded
from local_aws.core.store import Store
from local_aws.quotas import names, profiles
from local_aws.quotas.profiles import Quota

_KIND = "granted-quota"


def applied(store: Store, quota: Quota) -> float | None:
    """The value applied to the account; None where it has the default, which AWS does not list."""
    granted = store.get(_KIND, quota.code)
    if granted is not None:
        return float(granted["Value"])
    return profiles.applied(profiles.chosen(), quota)


def value(store: Store, service: str, name: str) -> float:
    """How much of a quota the account has. Raises KeyError if there is no such quota."""
    quota = _by_name()[service, name]
    found = applied(store, quota)
    return quota.default if found is None else found


def check(store: Store, name: str, used: int, more: int, unit: str = "Instances") -> None:
    """ResourceLimitExceeded if a quota of SageMaker's has no room for so many more.

    Whoever starts instances asks in the transaction that writes down what is started, so that two callers
    cannot both take the last one. The sentence: https://github.com/aws/amazon-sagemaker-examples/issues/593
    """
    most = int(value(store, names.SAGEMAKER, name))
    if more > 0 and used + more > most:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{name}' is {most} {unit}, with current utilization of "
            f"{used} {unit} and a request delta of {more} {unit}. Please use AWS Service Quotas to "
            "request an increase for this quota. If AWS Service Quotas is not available, contact AWS support "
            "to request an increase for this quota."
        )


def grant(store: Store, quota: Quota, wanted: float) -> None:
    """The account has so much from now on."""
    store.put(_KIND, quota.code, {"Value": wanted})


@cache
def _by_name() -> dict[tuple[str, str], Quota]:
    return {(each.service, each.name): each for each in profiles.known()}
