"""What a user may choose, in one place: the context key "classifier" of cdk.json, read into frozen
dataclasses.

Every field below is a setting; its rule says what is allowed. `load` turns the JSON object into a `Settings`
or raises one `SettingsError` which names the key, the file and what would be accepted, so that a typing slip
is found at `cdk synth` and never on a deployed stack. Nothing here knows CDK: the stacks receive the values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_type_hints

from contract import instances, prices

CONTEXT_KEY = "classifier"

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
DEFAULT_TRAINING_INSTANCES = (
    "ml.c7i.2xlarge", "ml.m7i.2xlarge", "ml.c6i.2xlarge", "ml.c5.2xlarge", "ml.m5.2xlarge"
)  # fmt: skip
MOST_INSTANCE_TYPES = 5
# A serverless endpoint takes 4 MB of body: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
SERVERLESS_BODY_BYTES = 4_000_000

# The retentions CloudWatch Logs knows; any other number of days is refused by the service.
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# What all services take: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG_KEY = re.compile(r"(?!aws:|project$)[A-Za-z0-9 _.:/=+@-]{1,128}")
_TAG_TEXT = re.compile(r"[A-Za-z0-9 _.:/=+@-]{0,256}")
_MOST_TAGS = 40

_INSTANCE_TYPE = re.compile(r"ml\.([a-z]+\d+[a-z-]*\d*)\.[a-z0-9]+")
_BURSTABLE_FAMILY = re.compile(r"t\d")


class SettingsError(Exception):
    """A setting that cannot be used; the message names the key, the file and what is allowed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be: the words for the message and the test."""

    allowed: str
    accepts: Callable[[Any], bool]


def one_of(*choices: str | int) -> Rule:
    # bool is an int to Python, so `true` would pass for 1 without the type check.
    return Rule(
        "one of " + ", ".join(map(str, choices)), lambda value: type(value) in (str, int) and value in choices
    )


def whole_number(least: int, most: int, unit: str) -> Rule:
    return Rule(
        f"a whole number of {unit} from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def switch() -> Rule:
    return Rule("true or false", lambda value: type(value) is bool)


def text(pattern: str, allowed: str) -> Rule:
    compiled = re.compile(pattern, re.ASCII)
    return Rule(allowed, lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None)


def fraction(what: str) -> Rule:
    return Rule(
        f"{what}, a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1
    )


def _is_tags(value: Any) -> bool:
    if not isinstance(value, Mapping) or len(value) > _MOST_TAGS:
        return False
    pairs = [(key, text) for key, text in value.items() if isinstance(key, str) and isinstance(text, str)]
    return len(pairs) == len(value) and all(
        _TAG_KEY.fullmatch(k) and _TAG_TEXT.fullmatch(v) for k, v in pairs
    )


def setting(default: Any, rule: Rule) -> Any:
    return field(default=default, metadata={"rule": rule})


_INSTANCE_RULE = text(_INSTANCE_TYPE.pattern, 'a SageMaker instance type such as "ml.c7i.large"')


def _one_or_several(rule: Rule) -> Rule:
    """A value, or a list of some: the first that can be had is taken."""

    def accepts(value: Any) -> bool:
        if not isinstance(value, list):
            return rule.accepts(value)
        return (
            0 < len(value) <= MOST_INSTANCE_TYPES
            and all(rule.accepts(each) for each in value)
            and len(set(value)) == len(value)
        )

    most = MOST_INSTANCE_TYPES
    return Rule(f"{rule.allowed}, or a list of up to {most} different ones, the first choice first", accepts)


_IMAGE_RULE = text(
    r"|\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})",
    'an ECR image with its tag or digest, such as "123456789012.dkr.ecr.us-east-1.amazonaws.com/name:tag"',
)


_TAGS_RULE = Rule(
    f'at most {_MOST_TAGS} tags such as {{"owner": "ann"}}, of letters, digits, spaces and _.:/=+@-, none of '
    'them "project"',
    _is_tags,
)
_CRON_RULE = text(
    r"|cron\([^()]{9,60}\)", 'an EventBridge schedule such as "cron(0 19 ? * MON-FRI *)", or "" for none'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageSettings:
    trial_outputs_days: int = setting(30, whole_number(1, 3650, "days"))
    """Days until the outputs and checkpoints of tuning trials are removed. Final models are never removed."""
    old_versions_days: int = setting(30, whole_number(1, 3650, "days"))
    """Days for which an overwritten or deleted object can still be brought back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSettings:
    instance_type: str | tuple[str, ...] = setting(
        DEFAULT_TRAINING_INSTANCES, _one_or_several(_INSTANCE_RULE)
    )
    """What trials and final trainings run on, unless the recipe names another. Of a list the first that the
    account has a quota of, and AWS an instance."""
    volume_gb: int = setting(50, whole_number(1, 16384, "gigabytes"))
    """Disk of a training instance: pictures, checkpoints and the model have to fit."""
    max_runtime_minutes: int = setting(120, whole_number(2, 40320, "minutes"))
    """A training job is stopped after this long, whatever it does: the bound on its cost."""
    image_uri: str = setting("", _IMAGE_RULE)
    """An image to use instead of building training_code/Dockerfile at deploy time; empty: build."""
    gpu_image_uri: str = setting("", _IMAGE_RULE)
    """The same for jobs on instances with a GPU; empty: image_uri where that is given, else build."""

    @property
    def image_uri_for_gpu(self) -> str:
        """The image named for instances with a GPU, if any."""
        return self.gpu_image_uri or self.image_uri

    @property
    def instances(self) -> tuple[str, ...]:
        """The instance types, the first choice first."""
        return _several(self.instance_type)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateSettings:
    """What a trained model has to show before it may serve."""

    must_be: str = setting("better", one_of("better", "not_worse"))
    """Than the champion, picture by picture on the same test split: better beyond chance, or not worse."""
    significance: float = setting(0.05, fraction("the probability below which a difference is no chance"))
    """Of McNemar's test."""
    min_accuracy: float = setting(0.0, fraction("the share of test pictures to be found at least"))
    """Floor for all test pictures together."""
    min_class_recall: float = setting(0.0, fraction("the share of each class to be found at least"))
    """Floor for the test pictures of every single class."""
    max_latency_ms: int = setting(0, whole_number(0, 60000, "milliseconds, or 0 for no limit"))
    """Ceiling for one picture in the form that serves it, as the training job measured it."""
    max_size_mb: int = setting(0, whole_number(0, 100_000, "megabytes, or 0 for no limit"))
    """Ceiling for the model archive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingSettings:
    flavour: str = setting(CPU, one_of(CPU, GPU, SERVERLESS))
    """What answers: instances with the CPU image, instances with the GPU image, or the CPU image without any
    instance, billed by the millisecond (docs/serving.md compares them)."""
    scale_to_zero: bool = setting(False, switch())
    """Give up the last instance after a quiet quarter of an hour. The first request after that is refused
    with 503 and wakes the model, which takes minutes."""
    instance_type: str | tuple[str, ...] = setting(
        "", _one_or_several(text(rf"|{_INSTANCE_TYPE.pattern}", _INSTANCE_RULE.allowed))
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
    idle_minutes: int = setting(60, whole_number(0, 10080, "minutes, or 0 for never"))
    """After so long without a request the endpoint is taken away; the next request wakes it, and is answered
    503 for the minutes that takes. 0: it stays, and is billed, until somebody puts it to sleep."""
    sleep_at: str = setting("", _CRON_RULE)
    """When the endpoint goes to sleep, used or not, in UTC; empty: only when it idles."""
    wake_at: str = setting("", _CRON_RULE)
    """When a sleeping endpoint wakes up by itself, in UTC; empty: only for a request."""
    serverless_memory_mb: int = setting(3072, one_of(*range(1024, 6145, 1024)))
    """Memory of a serverless worker; its share of processor grows with it."""
    serverless_concurrency: int = setting(10, whole_number(1, 200, "simultaneous requests"))
    """How many requests a serverless endpoint answers at a time; more are refused with 429."""
    image_uri: str = setting("", _IMAGE_RULE)
    """An image to use instead of building inference_code/Dockerfile at deploy time; empty: build."""

    @property
    def instances(self) -> tuple[str, ...]:
        """The instance types, the first choice first; for the serverless flavour those its packages name."""
        if self.instance_type:
            return _several(self.instance_type)
        types = DEFAULT_SERVING_INSTANCES[self.image_target]
        return tuple(each for each in types if not (self.scale_to_zero and is_burstable(each)))

    @property
    def instance(self) -> str:
        """The first choice of them."""
        return self.instances[0]

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


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftSettings:
    """Whether what is asked of the model still looks like what it was tested on."""

    capture_percent: int = setting(0, whole_number(0, 100, "percent of the requests, or 0 for none"))
    """So many of the endpoint's answers are kept in the artifacts bucket, the pictures never; without them
    nothing is checked."""
    keep_days: int = setting(14, whole_number(1, 3650, "days"))
    """How long captured answers are kept."""
    threshold: float = setting(0.25, fraction("the population stability index to be told of"))
    """Of the predicted classes, and of the confidence, against the test split."""
    min_predictions: int = setting(200, whole_number(20, 1_000_000, "predictions"))
    """With fewer captured in a day nothing is said."""
    retrain: str = setting("no", one_of("no", "yes"))
    """Whether drift starts a new search with the champion's recipe and data set, once per champion."""


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
    """All settings. `project` names every stack, role and endpoint, so two projects can share an account."""

    # No hyphen: with one, the prefix "demo-" of a project would match the jobs of a project "demo-two".
    project: str = setting(
        "classifier", text(r"[a-z][a-z0-9]{1,11}", "2 to 12 lower-case letters and digits, a letter first")
    )
    on_destroy: str = setting("keep", one_of("keep", "delete"))
    """What `cdk destroy` does with the buckets and what is in them; the local AWS always deletes them."""
    approval: str = setting("auto", one_of("auto", "manual"))
    """Whether a model that passed the quality gate goes live at once or waits for a person's approval."""
    alert_email: str = setting("", text(r"|[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"))
    """Who is told about alarms and failed jobs; empty: nobody."""
    log_retention_days: int = setting(30, one_of(*LOG_RETENTION_DAYS))
    """How long CloudWatch keeps the logs."""
    tags: Mapping[str, str] = field(default_factory=dict, metadata={"rule": _TAGS_RULE})
    """Tags of everything that takes some, beside `project`."""
    storage: StorageSettings = field(default_factory=StorageSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    cost: CostSettings = field(default_factory=CostSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    api: ApiSettings = field(default_factory=ApiSettings)

    @property
    def max_image_bytes(self) -> int:
        """The largest picture in force: what the API takes and the endpoint's flavour can be given."""
        most = SERVERLESS_BODY_BYTES if self.serving.flavour == SERVERLESS else self.api.max_image_bytes
        return min(self.api.max_image_bytes, most)


def load(values: object, source: str) -> Settings:
    """Read the settings out of a JSON value.

    Args:
        values: the parsed JSON object; keys that are left out take their defaults.
        source: the file it came from, for the messages.

    Raises:
        SettingsError: for the first key or value that cannot be used.
    """
    settings: Settings = _read(Settings, values, CONTEXT_KEY, source)
    _check_serving(settings.serving, source)
    _check_capture(settings, source)
    for each in settings.training.instances:
        _check_instance("training.instance_type", each, prices.TRAINING, source)
    return settings


def _read(kind: type[Any], values: object, path: str, source: str) -> Any:
    if not isinstance(values, Mapping):
        raise SettingsError(f"{source}: {path} must be a JSON object of settings, not {_shown(values)}.")
    known = {item.name: item for item in fields(kind)}
    hints = get_type_hints(kind)
    for key in values:
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            guess = f' Did you mean "{close[0]}"?' if close else ""
            raise SettingsError(
                f"{source}: {path}.{str(key)[:60]} is not a setting.{guess} Known here: {', '.join(known)}."
            )
    read: dict[str, Any] = {}
    for key, value in values.items():
        item, rule = known[key], known[key].metadata.get("rule")
        if is_dataclass(hints[key]):
            read[key] = _read(item.default_factory, value, f"{path}.{key}", source)  # type: ignore[arg-type]
        elif isinstance(rule, Rule) and rule.accepts(value):
            read[key] = tuple(value) if isinstance(value, list) else value
        elif isinstance(rule, Rule):
            default = "" if item.default in (MISSING, "") else f" (default: {_listed(item.default)})"
            raise SettingsError(
                f"{source}: {path}.{key} is {_shown(value)}; allowed is {rule.allowed}{default}."
            )
    return kind(**read)


def _check_serving(serving: ServingSettings, source: str) -> None:
    """What no single field can tell: the fields of `serving` have to agree."""
    where = f"{source}: {CONTEXT_KEY}.serving"
    if serving.min_instances > serving.max_instances:
        raise SettingsError(
            f"{where}.min_instances is {serving.min_instances}, more than max_instances"
            f" {serving.max_instances}; raise max_instances or lower min_instances."
        )
    if serving.scale_to_zero and serving.min_instances > 1:
        raise SettingsError(
            f"{where}.scale_to_zero does not go with min_instances {serving.min_instances}; leave one of the"
            " two out."
        )
    if serving.flavour == SERVERLESS:
        _check_serverless(serving, where)
    for each in serving.instances:
        _check_serving_instance(each, serving, where, source)


def _check_serving_instance(instance_type: str, serving: ServingSettings, where: str, source: str) -> None:
    _check_instance("serving.instance_type", instance_type, prices.HOSTING, source)
    if instances.has_gpu(instance_type) != (serving.flavour == GPU):
        default = DEFAULT_SERVING_INSTANCE[serving.image_target]
        raise SettingsError(
            f'{where}.instance_type {instance_type} does not go with flavour "{serving.flavour}"; choose'
            f" for example {default}, or the other flavour."
        )


def _check_capture(settings: Settings, source: str) -> None:
    if settings.drift.capture_percent and not settings.serving.has_own_instances:
        raise SettingsError(
            f"{source}: {CONTEXT_KEY}.drift.capture_percent is {settings.drift.capture_percent}, but answers"
            " can be captured of endpoints with instances of their own only; set it to 0, or leave out"
            " scale_to_zero and the flavour serverless."
        )


def _check_serverless(serving: ServingSettings, where: str) -> None:
    """A serverless endpoint has no instances, so a setting about them would be without effect."""
    for name in ("scale_to_zero", "instance_type", "min_instances", "max_instances", "requests_per_instance"):
        if getattr(serving, name) != getattr(ServingSettings(), name):
            raise SettingsError(
                f'{where}.{name} is about instances, which flavour "{SERVERLESS}" has none of; leave it out'
                " (serverless_memory_mb and serverless_concurrency are there instead)."
            )


def _check_instance(key: str, instance_type: str, kind: str, source: str) -> None:
    """SageMaker would find out only when the job or endpoint starts."""
    try:
        instances.check(instance_type, kind)
    except instances.UnusableInstance as error:
        raise SettingsError(f"{source}: {CONTEXT_KEY}.{key} {error}.") from None


def is_burstable(instance_type: str) -> bool:
    """Whether an endpoint on it cannot scale: AWS refuses that for burstable instances.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-add-policy.html
    """
    return _BURSTABLE_FAMILY.match(instances.family_of(instance_type)) is not None


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _listed(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _shown(value: object) -> str:
    """The value as it stands in the JSON file, short enough for a message."""
    words: Mapping[Any, str] = {True: "true", False: "false", None: "null"}
    try:
        shown = words[value] if value is None or isinstance(value, bool) else repr(value).replace("'", '"')
    except (ValueError, RecursionError):  # an int of thousands of digits, or brackets in brackets
        shown = f"{type(value).__name__} of a size that nobody wrote by hand"
    return shown if len(shown) <= 80 else shown[:77] + "..."
