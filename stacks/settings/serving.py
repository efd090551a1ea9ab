"""The settings of the endpoint: what it runs on, how it scales, when it sleeps."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from contract import instances
from stacks.settings.rules import (
    CRON_RULE,
    IMAGE_RULE,
    INSTANCE_RULE,
    fraction,
    one_of,
    one_or_several,
    setting,
    several,
    switch,
    text,
    whole_number,
)

CPU = "cpu"
GPU = "gpu"
SERVERLESS = "serverless"
# The first that the account has a quota of, and AWS an instance, is taken: what serves or trains fastest is
# first, what most accounts have last. A new account has none of nearly all, two of ml.t2.medium for endpoints
# and four of ml.m5.2xlarge for spot training (local_aws.quotas.profiles names the list that says so).
DEFAULT_SERVING_INSTANCES = {
    CPU: ("ml.c7i.large", "ml.m7i.large", "ml.c6i.large", "ml.m5.large", "ml.t2.medium"),
    GPU: ("ml.g6.xlarge", "ml.g5.xlarge", "ml.g4dn.xlarge"),
}
DEFAULT_SERVING_INSTANCE = {flavour: types[0] for flavour, types in DEFAULT_SERVING_INSTANCES.items()}
# A serverless endpoint takes 4 MB of body: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
SERVERLESS_BODY_BYTES = 4_000_000

_BURSTABLE_FAMILY = re.compile(r"t\d")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowSettings:
    """Whether an approved model first answers a copy of the traffic, which nobody sees (docs/shadow.md)."""

    hours: int = setting(0, whole_number(0, 720, "hours", zero="no comparison"))
    """For so long at most it answers beside the champion: as many instances more as min_instances, billed by
    the second."""
    requests: int = setting(500, whole_number(20, 100_000, "requests"))
    """So many answers of both are enough to decide. With fewer at the end of the hours a person decides."""
    percent: int = setting(100, whole_number(1, 100, "percent of the requests"))
    """The part of the requests that is copied."""
    min_agreement: float = setting(0.8, fraction("the share of requests to be answered with the same class"))
    """The least share. With less it waits for a person, as does a model that corrects many of the champion's
    answers."""
    max_latency_percent: int = setting(150, whole_number(100, 10_000, "percent of the champion's latency"))
    """The most its average latency may be. A slower model waits for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingSettings:
    flavour: str = setting(CPU, one_of(CPU, GPU, SERVERLESS))
    """What answers: instances with the CPU image, instances with the GPU image, or the CPU image without any
    instance, billed by the millisecond (docs/serving.md compares them)."""
    scale_to_zero: bool = setting(False, switch())
    """Give up the last instance after a quiet quarter of an hour. The first request after that is refused
    with 503 and wakes the model, which takes minutes."""
    instance_type: str | tuple[str, ...] = setting(
        "", one_or_several(text(rf"|{instances.FORM}", INSTANCE_RULE.allowed))
    )
    """What the endpoint runs on; empty: the flavour's defaults. Of a list the first that the account has a
    quota of, and AWS an instance, when the endpoint is made; it keeps its type as long as it is there."""
    min_instances: int = setting(1, whole_number(1, 100, "instances"))
    """Never fewer than these. From two on, a new model is tried on one instance first (canary)."""
    max_instances: int = setting(2, whole_number(1, 100, "instances"))
    """Never more than these: the bound on the endpoint's cost."""
    requests_per_instance: int = setting(2, whole_number(1, 1000, "simultaneous requests"))
    """Scaling target: how many requests one instance should have in hand at a time. As many as it has cores:
    more of them wait already (docs/serving.md)."""
    canary_percent: int = setting(10, whole_number(1, 50, "percent of the instances"))
    """From two instances on: the part of them that a new model gets first (one at least, half at most). A
    single instance is replaced at once."""
    bake_seconds: int = setting(300, whole_number(0, 3600, "seconds"))
    """For how long the rollback alarms watch a new model while the old one is kept to return to: the canary
    before the rest follows, or the one instance. A promotion takes that much longer."""
    alarm_minutes: int = setting(2, whole_number(1, 10, "minutes"))
    """For how many minutes in a row errors or slowness have to last to ring, and to roll a new model back."""
    alarm_latency_ms: int = setting(2000, whole_number(10, 60000, "milliseconds"))
    """The latency alarm rings when one picture in a hundred takes longer than this in the container."""
    idle_minutes: int = setting(60, whole_number(0, 10080, "minutes", zero="never"))
    """After so long without a request the endpoint is taken away; the next request wakes it, and is answered
    503 for the minutes that takes. 0: it stays, and is billed, until somebody puts it to sleep."""
    sleep_at: str = setting("", CRON_RULE)
    """When the endpoint goes to sleep, used or not, in UTC; empty: only when it idles."""
    wake_at: str = setting("", CRON_RULE)
    """When a sleeping endpoint wakes up by itself, in UTC; empty: only for a request."""
    serverless_memory_mb: int = setting(3072, one_of(*range(1024, 6145, 1024)))
    """Memory of a serverless worker; its share of processor grows with it."""
    serverless_concurrency: int = setting(10, whole_number(1, 200, "simultaneous requests"))
    """How many requests a serverless endpoint answers at a time; more are refused with 429."""
    shadow: ShadowSettings = field(default_factory=ShadowSettings)
    image_uri: str = setting("", IMAGE_RULE)
    """An image to use instead of building inference_code/Dockerfile at deploy time; empty: build."""

    @property
    def instances(self) -> tuple[str, ...]:
        """The instance types, the first choice first; for the serverless flavour those its packages name."""
        if self.instance_type:
            return several(self.instance_type)
        types = DEFAULT_SERVING_INSTANCES[self.image_target]
        return tuple(each for each in types if not (self.scale_to_zero and is_burstable(each)))

    @property
    def instance(self) -> str:
        """The first choice of them."""
        return self.instances[0]

    @property
    def shadows(self) -> bool:
        """Whether a model is compared with the champion before it serves."""
        return self.shadow.hours > 0

    @property
    def has_own_instances(self) -> bool:
        """Whether the variant runs its model on instances: it is neither serverless, nor does the model come
        as copies of an inference component.
        """
        return self.flavour != SERVERLESS and not self.scale_to_zero

    @property
    def image_target(self) -> str:
        """The target of inference_code/Dockerfile."""
        return CPU if self.flavour == SERVERLESS else self.flavour


def is_burstable(instance_type: str) -> bool:
    """Whether an endpoint on it cannot scale: AWS refuses that for burstable instances.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-add-policy.html
    """
    return _BURSTABLE_FAMILY.match(instances.family_of(instance_type)) is not None
