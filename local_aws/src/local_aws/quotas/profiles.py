"""Which quotas there are, AWS's default of each, and what an account of a kind has beyond the defaults.

The defaults are those of a public list of February 2024 (github.com/gruntwork-io/terraform-aws-utilities,
docs/quotas.md, made with ListAWSDefaultServiceQuotas): 0 for training on demand on every type, 0 for all but
three endpoint types, a few spot types, one build at a time. A new account has these.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from local_aws.core.wire import model_of
from local_aws.quotas import names
from local_aws.quotas.names import CODEBUILD, SAGEMAKER

VARIABLE = "LOCAL_AWS_QUOTAS"

_SERVICE_NAMES = {SAGEMAKER: "Amazon SageMaker", CODEBUILD: "AWS CodeBuild"}
_TOTALS = {
    names.ALL_TRAINING: 4,
    names.ALL_SPOT_TRAINING: 4,
    names.ALL_ENDPOINTS: 4,
    names.ONE_TRAINING: 20,
    names.ONE_SPOT_TRAINING: 20,
    names.ONE_ENDPOINT: 4,
    names.PARALLEL_TRIALS: 10,
    names.SERVERLESS_ENDPOINTS: 5,
    names.SERVERLESS_CONCURRENCY: 10,
}
# The service keeps to it and Service Quotas does not list it; public threads have AWS's sentence with 3072.
_UNLISTED = {names.SERVERLESS_MEMORY: 3072}
_SPOT = {
    **dict.fromkeys(("ml.c4.xlarge", "ml.c4.2xlarge", "ml.c5.xlarge", "ml.c5.2xlarge", "ml.m4.xlarge"), 4),
    **dict.fromkeys(("ml.m4.2xlarge", "ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge"), 4),
    **{"ml.m4.4xlarge": 2, "ml.m5.4xlarge": 2, "ml.c5.4xlarge": 1},
}
_ENDPOINT = {"ml.t2.medium": 2, "ml.m6g.large": 2, "ml.m6g.xlarge": 1}
_BUILDS = {
    **dict.fromkeys(("Linux/Small", "Linux/Medium", "Linux/Large", "Linux/XLarge"), 1),
    **dict.fromkeys(("ARM/Small", "ARM/Large"), 1),
    **dict.fromkeys(("Linux/2XLarge", "Linux GPU Small", "Linux GPU Large"), 0),
}
# More than one machine can run, so that only its own limits are met.
_PLENTY = 10_000


class Profile(StrEnum):
    """A kind of account."""

    PLENTY = "plenty"
    """One whose requests were all granted."""
    NEW_ACCOUNT = "new-account"
    """One of today: the defaults."""


class UnknownProfileError(ValueError):
    """The environment names a profile that there is not."""


@dataclass(frozen=True)
class Quota:
    """One quota of a service and AWS's default for it."""

    service: str
    name: str
    default: float
    listed: bool = True
    """Whether Service Quotas tells of it."""

    @property
    def code(self) -> str:
        """A code of AWS's form. It is made from the name, and not the one AWS has for it."""
        return f"L-{hashlib.sha256(f'{self.service}/{self.name}'.encode()).hexdigest()[:8].upper()}"

    @property
    def service_name(self) -> str:
        return _SERVICE_NAMES[self.service]


def chosen() -> Profile:
    """The profile this server was started with. Raises UnknownProfileError for any other name."""
    name = os.environ.get(VARIABLE) or Profile.PLENTY
    try:
        return Profile(name)
    except ValueError:
        raise UnknownProfileError(
            f"{VARIABLE}={name} is no profile of quotas; there are {', '.join(Profile)}"
        ) from None


def applied(profile: Profile, quota: Quota) -> float | None:
    """What the profile's account has of a quota; None where AWS only knows the default.

    ListServiceQuotas leaves the latter out, which is why whoever asks has to look at both lists.
    """
    if profile is Profile.PLENTY:
        return _PLENTY
    return quota.default or None


@cache
def known() -> tuple[Quota, ...]:
    """Every quota, those listed in the order in which they are."""
    model = model_of("sagemaker")

    def types(shape: str) -> list[str]:
        return [each for each in model.shape_for(shape).enum if each.startswith("ml.")]

    sagemaker: dict[str, float] = dict(_TOTALS)
    for each in types("ProductionVariantInstanceType"):
        sagemaker[names.endpoint(each)] = _ENDPOINT.get(each, 0)
    for each in types("TrainingInstanceType"):
        sagemaker[names.training(each, spot=False)] = 0
        sagemaker[names.training(each, spot=True)] = _SPOT.get(each, 0)
    return (
        *(Quota(SAGEMAKER, name, default) for name, default in sagemaker.items()),
        *(Quota(SAGEMAKER, name, default, listed=False) for name, default in _UNLISTED.items()),
        *(Quota(CODEBUILD, names.builds(environment), default) for environment, default in _BUILDS.items()),
    )
