"""The environment variables of the Lambda functions: the stacks write them, the functions read them.

One class for each function that has any. Its fields name the variables, so a function is given what it reads
and nothing else.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self


class UnreadableVariable(Exception):
    """An environment variable that a function needs is absent or unreadable; the message names it."""


def _text(_: str, text: str) -> str:
    return text


def _list(_: str, text: str) -> tuple[str, ...]:
    return tuple(each for each in text.split(",") if each)


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UnreadableVariable(f"environment variable {name}={text!r} is not a whole number") from None


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UnreadableVariable(f"environment variable {name}={text!r} is not a number")
    return number


def _variable(name: str, parse: Callable[[str, str], object] = _text, *, default: object = MISSING) -> Any:
    """A field that is an environment variable.

    `parse` makes the field's value of the variable's name and text; without a default it has to be set.
    """
    return field(default=default, metadata={"variable": name, "parse": parse})


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The variables of one function."""

    def variables(self) -> dict[str, str]:
        """As the function is given them; what has its default is left out."""
        values = ((each, getattr(self, each.name)) for each in fields(self))
        return {
            each.metadata["variable"]: ",".join(value) if isinstance(value, tuple) else str(value)
            for each, value in values
            if value != each.default
        }

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """What the function was given.

        Raises:
            UnreadableVariable: a variable without a default is absent or empty, or a number is not one.
        """
        values: dict[str, object] = {}
        for each in fields(cls):
            name = each.metadata["variable"]
            if text := environ.get(name, ""):
                values[each.name] = each.metadata["parse"](name, text)
            elif each.default is MISSING:
                raise UnreadableVariable(
                    f"environment variable {name} is not set; deploy the stacks again to set it"
                )
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Notified(Environment):
    """For a function that sends mail to the project's owner."""

    project: str = _variable("PROJECT")
    notification_topic_arn: str = _variable("NOTIFICATION_TOPIC_ARN", default="")


@dataclass(frozen=True, kw_only=True)
class LaunchEnvironment(Notified):
    """For the launchers: where data and code lie, and on what a job runs."""

    data_bucket: str = _variable("DATA_BUCKET")
    artifacts_bucket: str = _variable("ARTIFACTS_BUCKET")
    code_prefix: str = _variable("CODE_PREFIX")
    """`code/<hash>/`: the folder in the artifacts bucket that becomes the channel `code`."""
    training_image: str = _variable("TRAINING_IMAGE")
    """For instances without a GPU: it holds no CUDA."""
    training_image_gpu: str = _variable("TRAINING_IMAGE_GPU")
    training_role_arn: str = _variable("TRAINING_ROLE_ARN")
    training_instance_types: tuple[str, ...] = _variable("TRAINING_INSTANCE_TYPE", _list)
    """What a job runs on whose recipe does not say, the first choice first."""
    training_volume_gb: int = _variable("TRAINING_VOLUME_GB", _whole)
    max_runtime_minutes: int = _variable("MAX_RUNTIME_MINUTES", _whole)
    champion_parameter: str = _variable("CHAMPION_PARAMETER")


@dataclass(frozen=True, kw_only=True)
class BatchEnvironment(LaunchEnvironment):
    """For launch-batch: besides, where a model is found by its version, and pictures of others."""

    model_packages: str = _variable("MODEL_PACKAGES")
    """The ARN of the registry's versions, without the number."""
    read_buckets: tuple[str, ...] = _variable("READ_BUCKETS", _list, default=())
    """Buckets of others that its jobs may read pictures in, beside the data bucket."""


@dataclass(frozen=True, kw_only=True)
class RegisterEnvironment(Notified):
    """For register-model: the registry, what will serve the model, and what it has to show."""

    artifacts_bucket: str = _variable("ARTIFACTS_BUCKET")
    serving_image: str = _variable("SERVING_IMAGE")
    serving_image_target: str = _variable("SERVING_IMAGE_TARGET")
    """What the image is built for: `cpu` or `gpu`."""
    model_package_group: str = _variable("MODEL_PACKAGE_GROUP")
    approval: str = _variable("APPROVAL")
    """`auto`: a model that passes the gate is Approved; `manual`: it waits for a person."""
    champion_parameter: str = _variable("CHAMPION_PARAMETER")
    must_be: str = _variable("MUST_BE")
    """Than the champion on the same pictures: `better`, or `not_worse`, in either case beyond chance."""
    significance: float = _variable("SIGNIFICANCE", _number)
    """Below this probability a difference is taken for more than chance."""
    min_accuracy: float = _variable("MIN_ACCURACY", _number)
    min_class_recall: float = _variable("MIN_CLASS_RECALL", _number)
    max_latency_ms: int = _variable("MAX_LATENCY_MS", _whole)
    max_size_mb: int = _variable("MAX_SIZE_MB", _whole)
    """Floors and ceilings; 0 for none."""
    serving_repository: str = _variable("SERVING_REPOSITORY", default="")
    """The project's own repository of serving images; empty where the user names the image."""
    image_tag_prefix: str = _variable("IMAGE_TAG_PREFIX", default="")
    """Before a version's number, the tag that keeps its image in that repository."""


@dataclass(frozen=True, kw_only=True)
class PromoteEnvironment(Notified):
    """For promote-model: where the champion is written and which stack follows it."""

    model_package_group: str = _variable("MODEL_PACKAGE_GROUP")
    champion_parameter: str = _variable("CHAMPION_PARAMETER")
    serving_stack: str = _variable("SERVING_STACK")
    instance_types: tuple[str, ...] = _variable("INSTANCE_TYPES", _list, default=())
    """What the endpoint may run on, the first choice first; empty: it has no instances."""
    instance_type_parameter: str = _variable("INSTANCE_TYPE_PARAMETER", default="")
    """The SSM parameter with the one that was chosen."""
    min_instances: int = _variable("MIN_INSTANCES", _whole, default=0)
    candidate_parameter: str = _variable("CANDIDATE_PARAMETER", default="")
    """The SSM parameter with the model that is compared before it serves; empty: none is."""


@dataclass(frozen=True, kw_only=True)
class AnsweringEnvironment(Environment):
    """For a function that API Gateway calls."""

    allowed_origin: str = _variable("ALLOWED_ORIGIN", default="")
    """The one other site whose pages may call the API from a browser."""


@dataclass(frozen=True, kw_only=True)
class ClassifyEnvironment(AnsweringEnvironment):
    """For classify: the endpoint behind the API."""

    project: str = _variable("PROJECT")
    endpoint_name: str = _variable("ENDPOINT_NAME")
    champion_parameter: str = _variable("CHAMPION_PARAMETER")
    max_image_bytes: int = _variable("MAX_IMAGE_BYTES", _whole)
    promote_function: str = _variable("PROMOTE_FUNCTION")
    """Who wakes an endpoint that sleeps."""
    artifacts_bucket: str = _variable("ARTIFACTS_BUCKET")
    """Where models' evaluations are kept, which name their classes."""
    inference_component: str = _variable("INFERENCE_COMPONENT", default="")
    """What of the endpoint to ask; only an endpoint that may scale to zero has such parts."""
    given_bucket: str = _variable("GIVEN_BUCKET", default="")
    """Where pictures are kept that their senders give; empty: none is."""
    given_days: int = _variable("GIVEN_DAYS", _whole, default=0)
    """For so long."""


@dataclass(frozen=True, kw_only=True)
class FeedbackEnvironment(AnsweringEnvironment):
    """For feedback: where pictures are kept that their senders gave."""

    given_bucket: str = _variable("GIVEN_BUCKET")


@dataclass(frozen=True, kw_only=True)
class IdleGuardEnvironment(Environment):
    """For idle-guard: which endpoint it watches, how long it may idle, and who puts it to sleep."""

    endpoint_name: str = _variable("ENDPOINT_NAME")
    variant: str = _variable("VARIANT")
    champion_parameter: str = _variable("CHAMPION_PARAMETER")
    idle_minutes: int = _variable("IDLE_MINUTES", _whole)
    promote_function: str = _variable("PROMOTE_FUNCTION")


@dataclass(frozen=True, kw_only=True)
class ShadowEnvironment(Environment):
    """For compare-shadow: where both variants' answers lie, what a candidate has to show, and who decides."""

    artifacts_bucket: str = _variable("ARTIFACTS_BUCKET")
    champion_parameter: str = _variable("CHAMPION_PARAMETER")
    candidate_parameter: str = _variable("CANDIDATE_PARAMETER")
    endpoint_name: str = _variable("ENDPOINT_NAME")
    capture_folder: str = _variable("CAPTURE_FOLDER")
    """`captured/<endpoint>/<variant>` in the artifacts bucket, of the champion's variant."""
    shadow_folder: str = _variable("SHADOW_FOLDER")
    """The same of the candidate's."""
    hours: int = _variable("HOURS", _whole)
    """At the end of so many it is decided."""
    requests: int = _variable("REQUESTS", _whole)
    """So many answers of both are enough; with fewer at the end a person decides."""
    min_agreement: float = _variable("MIN_AGREEMENT", _number)
    max_latency_percent: int = _variable("MAX_LATENCY_PERCENT", _whole)
    """Of the champion's average."""
    promote_function: str = _variable("PROMOTE_FUNCTION")


@dataclass(frozen=True, kw_only=True)
class DriftEnvironment(Notified):
    """For check-drift: where captured answers lie, and when they count as drifted."""

    artifacts_bucket: str = _variable("ARTIFACTS_BUCKET")
    champion_parameter: str = _variable("CHAMPION_PARAMETER")
    capture_folder: str = _variable("CAPTURE_FOLDER")
    """`captured/<endpoint>/<variant>` in the artifacts bucket."""
    threshold: float = _variable("THRESHOLD", _number)
    min_predictions: int = _variable("MIN_PREDICTIONS", _whole)
    retrain_function: str = _variable("RETRAIN_FUNCTION", default="")
    """Who starts a new search then; empty: nobody."""
    metric_namespace: str = _variable("METRIC_NAMESPACE")


@dataclass(frozen=True, kw_only=True)
class RetrainEnvironment(Notified):
    """For launch-retraining: when a new search is due, what of, and within which budget."""

    data_bucket: str = _variable("DATA_BUCKET")
    artifacts_bucket: str = _variable("ARTIFACTS_BUCKET")
    champion_parameter: str = _variable("CHAMPION_PARAMETER")
    corrections: int = _variable("CORRECTIONS", _whole)
    """So many accepted corrections are enough; 0: they start nothing."""
    recipe: str = _variable("RECIPE", default="")
    """Empty: the champion's."""
    max_cost_usd_month: int = _variable("MAX_COST_USD_MONTH", _whole)
    """The most that all searches of a month may cost together."""
    launch_function: str = _variable("LAUNCH_FUNCTION")
