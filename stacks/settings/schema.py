"""All settings; those of the endpoint are in serving.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contract.names import PROJECT, PROJECT_IN_WORDS, RECIPE
from stacks.settings.rules import (
    BUCKETS_RULE,
    IMAGE_RULE,
    INSTANCE_RULE,
    TAGS_RULE,
    Rule,
    fraction,
    one_of,
    one_or_several,
    setting,
    several,
    switch,
    text,
    whole_number,
)
from stacks.settings.serving import SERVERLESS, SERVERLESS_BODY_BYTES, ServingSettings

# Chosen like DEFAULT_SERVING_INSTANCES.
DEFAULT_TRAINING_INSTANCES = (
    "ml.c7i.2xlarge", "ml.m7i.2xlarge", "ml.c6i.2xlarge", "ml.c5.2xlarge", "ml.m5.2xlarge"
)  # fmt: skip

# The retentions CloudWatch Logs knows; any other number of days is refused by the service.
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageSettings:
    trial_outputs_days: int = setting(30, whole_number(1, 3650, "days"))
    """Days until the outputs and checkpoints of tuning trials are removed. Final models are never removed."""
    old_versions_days: int = setting(30, whole_number(1, 3650, "days"))
    """Days for which an overwritten or deleted object can still be brought back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSettings:
    instance_type: str | tuple[str, ...] = setting(DEFAULT_TRAINING_INSTANCES, one_or_several(INSTANCE_RULE))
    """What trials and final trainings run on, unless the recipe names another. Of a list the first that the
    account has a quota of, and AWS an instance."""
    volume_gb: int = setting(50, whole_number(1, 16384, "gigabytes"))
    """Disk of a training instance: pictures, checkpoints and the model have to fit."""
    max_runtime_minutes: int = setting(120, whole_number(2, 40320, "minutes"))
    """A training job is stopped after this long, whatever it does: the bound on its cost."""
    image_uri: str = setting("", IMAGE_RULE)
    """An image to use instead of building training_code/Dockerfile at deploy time; empty: build."""
    gpu_image_uri: str = setting("", IMAGE_RULE)
    """The same for jobs on instances with a GPU; empty: image_uri where that is given, else build."""

    @property
    def image_uri_for_gpu(self) -> str:
        """The image named for instances with a GPU, if any."""
        return self.gpu_image_uri or self.image_uri

    @property
    def instances(self) -> tuple[str, ...]:
        """The instance types, the first choice first."""
        return several(self.instance_type)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSettings:
    """What a trained model has to show before it may serve."""

    must_be: str = setting("better", one_of("better", "not_worse"))
    """How the model has to do beside the champion, picture by picture on the same test split: better beyond
    chance, or not worse beyond chance."""
    significance: float = setting(0.05, fraction("the probability below which a difference is no chance"))
    """The level of McNemar's test, which compares the model with the champion."""
    min_accuracy: float = setting(0.0, fraction("the share of test pictures to be found at least"))
    """Floor for all test pictures together."""
    min_class_recall: float = setting(0.0, fraction("the share of each class to be found at least"))
    """Floor for the test pictures of every single class."""
    max_latency_ms: int = setting(0, whole_number(0, 60000, "milliseconds", zero="no limit"))
    """Ceiling for one picture in the form that serves it, as the training job measured it."""
    max_size_mb: int = setting(0, whole_number(0, 100_000, "megabytes", zero="no limit"))
    """Ceiling for the model archive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftSettings:
    """Whether what is asked of the model still looks like what it was tested on."""

    capture_percent: int = setting(0, whole_number(0, 100, "percent of the requests", zero="none"))
    """So many of the endpoint's answers are kept in the artifacts bucket, the pictures never; without them
    nothing is checked."""
    keep_days: int = setting(14, whole_number(1, 3650, "days"))
    """How long captured answers are kept."""
    threshold: float = setting(0.25, fraction("the population stability index to be told of"))
    """How far answers may differ from those on the test split, in their classes and confidence, before a
    message goes out."""
    min_predictions: int = setting(200, whole_number(20, 1_000_000, "predictions"))
    """With fewer captured in a day nothing is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrainSettings:
    """When a new search starts by itself (docs/operations.md). The gate and the approval decide as ever."""

    corrections: int = setting(0, whole_number(0, 1_000_000, "accepted corrections", zero="never"))
    """So many that the champion's data set has gained since it, or such a search, was trained."""
    on_drift: bool = setting(False, switch())
    """Whether drift starts one, once per champion and version of the data set."""
    recipe: str = setting("", text(rf"|{RECIPE.pattern}", 'the name of a recipe, or "" for the champion\'s'))
    """What is searched."""
    max_cost_usd_month: int = setting(20, whole_number(1, 1_000_000, "USD"))
    """What all searches that start so in a month could cost at most, together; one that could come to more
    does not start."""

    @property
    def is_on(self) -> bool:
        """Whether anything starts by itself."""
        return self.corrections > 0 or self.on_drift


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrectionsSettings:
    """Whether senders may give pictures, so that the model gets better (docs/corrections.md)."""

    days: int = setting(0, whole_number(0, 3650, "days"))
    """How long a picture is kept that its sender gives, with the answer and what was said of it. With 0
    there is nothing of this: no bucket, no function, no question on the page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchSettings:
    """Where pictures may lie that are answered in one go (docs/batch.md)."""

    read_buckets: tuple[str, ...] = setting((), BUCKETS_RULE)
    """Buckets beside the data bucket in which batches may list and read. A bucket of another account has to
    allow that too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CostSettings:
    monthly_budget_usd: int | None = setting(
        50,
        Rule(
            "a whole number of USD from 1 to 1000000, or null for no budget",
            lambda value: value is None or (type(value) is int and 1 <= value <= 1_000_000),
        ),
    )
    """What the account's SageMaker may cost a month: at half, at all of it, and when it is forecast to be
    exceeded, a message goes out. Nothing is stopped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiSettings:
    requests_per_second: int = setting(20, whole_number(1, 10000, "requests per second"))
    """Steady rate of the API key; more is answered with 429."""
    burst: int = setting(40, whole_number(1, 5000, "requests"))
    """How many requests may come at once above the steady rate."""
    requests_per_day: int = setting(50000, whole_number(1, 100_000_000, "requests per day"))
    """Quota of the API key."""
    max_image_bytes: int = setting(4_500_000, whole_number(1024, 4_500_000, "bytes"))
    """Largest picture. Lambda takes 6 MB in base64, hence the upper bound."""
    cors_origin: str = setting(
        "", text(r"|\*|https?://[^\s/*]+", '"*", or an origin like "https://example.org"')
    )
    """Web site whose scripts may call the API from a browser; empty: none."""
    iam_auth: bool = setting(False, switch())
    """Whether callers of /classify must also sign with AWS credentials that allow execute-api:Invoke. The
    page cannot sign, so it is left out then."""
    waf: bool = setting(False, switch())
    """Put AWS's managed firewall rules and a limit per address before the API; about 9 USD a month, also when
    idle."""
    account_log_role: str = setting("create", one_of("create", "existing"))
    """API Gateway writes logs with one role per account and region. Where one is set it stays; where none is,
    make one ("create"), which stays as well, or leave that to the account's owner ("existing")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All settings."""

    project: str = setting("classifier", text(PROJECT.pattern, PROJECT_IN_WORDS))
    """The beginning of every name in AWS, so that two projects can share an account."""
    on_destroy: str = setting("keep", one_of("keep", "delete"))
    """What `cdk destroy` does with the buckets and what is in them; the local AWS always deletes them."""
    approval: str = setting("auto", one_of("auto", "manual"))
    """Whether a model that passed the quality gate goes live at once or waits for a person's approval.

    One whose classes are not the champion's waits whatever it says.
    """
    alert_email: str = setting("", text(r"|[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"))
    """Who is told about alarms and failed jobs; empty: nobody."""
    log_retention_days: int = setting(30, one_of(*LOG_RETENTION_DAYS))
    """How long CloudWatch keeps the logs."""
    tags: Mapping[str, str] = field(default_factory=dict, metadata={"rule": TAGS_RULE})
    """Tags that every resource gets beside the tag `project`."""
    storage: StorageSettings = field(default_factory=StorageSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    cost: CostSettings = field(default_factory=CostSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    corrections: CorrectionsSettings = field(default_factory=CorrectionsSettings)
    retrain: RetrainSettings = field(default_factory=RetrainSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)

    @property
    def max_image_bytes(self) -> int:
        """The largest picture in force: what the API takes and the endpoint's flavour can be given."""
        most = SERVERLESS_BODY_BYTES if self.serving.flavour == SERVERLESS else self.api.max_image_bytes
        return min(self.api.max_image_bytes, most)
