"""What a stack tells a function, read once and typed.

Each function has one frozen dataclass; a field `data_bucket` is the environment variable `DATA_BUCKET`. A
function gets only the variables its class names, so this file is also the list of what each stack has to
set.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar

from functions.common.errors import MissingSetting


@dataclass(frozen=True)
class LaunchSettings:
    """For launch-tuning and launch-training: where data and code lie, and on what a job runs."""

    project: str
    data_bucket: str
    artifacts_bucket: str
    code_prefix: str
    """`code/<hash>/`: the folder in the artifacts bucket that becomes the channel `code`."""
    training_image: str
    """For instances without a GPU: it holds no CUDA."""
    training_image_gpu: str
    training_role_arn: str
    training_instance_type: str
    """What a job runs on whose recipe does not say; several with commas, the first choice first."""
    training_volume_gb: int
    max_runtime_minutes: int
    champion_parameter: str
    notification_topic_arn: str = ""

    @property
    def training_instance_types(self) -> tuple[str, ...]:
        return tuple(self.training_instance_type.split(","))


@dataclass(frozen=True)
class RegisterSettings:
    """For register-model: the registry, what will serve the model, and whether approval is automatic."""

    project: str
    artifacts_bucket: str
    serving_image: str
    serving_image_target: str
    """What the image is built for: `cpu` or `gpu`."""
    model_package_group: str
    approval: str
    """`auto`: a model that passes the gate is Approved; `manual`: it waits for a person."""
    champion_parameter: str
    must_be: str = "better"
    """Than the champion on the same pictures: `better`, or `not_worse`, in either case beyond chance."""
    significance: float = 0.05
    """Below this probability a difference is taken for more than chance."""
    min_accuracy: float = 0.0
    min_class_recall: float = 0.0
    max_latency_ms: int = 0
    max_size_mb: int = 0
    """Floors and ceilings; 0 for none."""
    serving_repository: str = ""
    """The project's own repository of serving images; empty where the user names the image."""
    image_tag_prefix: str = ""
    """Before a version's number, the tag that keeps its image in that repository."""
    notification_topic_arn: str = ""


@dataclass(frozen=True)
class PromoteSettings:
    """For promote-model: where the champion is written and which stack follows it."""

    project: str
    model_package_group: str
    champion_parameter: str
    serving_stack: str
    instance_types: str = ""
    """What the endpoint may run on, the first choice first, with commas; empty: it has no instances."""
    instance_type_parameter: str = ""
    """The SSM parameter with the one that was taken."""
    min_instances: int = 1
    notification_topic_arn: str = ""


@dataclass(frozen=True)
class ClassifySettings:
    """For classify: the endpoint behind the API."""

    project: str
    endpoint_name: str
    champion_parameter: str
    max_image_bytes: int
    promote_function: str
    """Who wakes an endpoint that sleeps."""
    inference_component: str = ""
    """What of the endpoint to ask; only an endpoint that may scale to zero has such parts."""
    allowed_origin: str = ""
    """The one other site whose pages may call the API from a browser."""


@dataclass(frozen=True)
class IdleGuardSettings:
    """For idle-guard: which endpoint it watches, how long it may idle, and who puts it to sleep."""

    endpoint_name: str
    variant: str
    champion_parameter: str
    idle_minutes: int
    promote_function: str


@dataclass(frozen=True)
class DriftSettings:
    """For check-drift: where captured answers lie, and when they count as drifted."""

    project: str
    artifacts_bucket: str
    champion_parameter: str
    capture_folder: str
    """`captured/<endpoint>/<variant>` in the artifacts bucket."""
    threshold: float
    min_predictions: int
    retrain: str
    """`yes` to start a new search."""
    metric_namespace: str
    notification_topic_arn: str = ""


Settings = TypeVar(
    "Settings",
    LaunchSettings,
    RegisterSettings,
    PromoteSettings,
    ClassifySettings,
    IdleGuardSettings,
    DriftSettings,
)


def read(kind: type[Settings], environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of one function.

    Raises:
        MissingSetting: a variable without a default is absent or empty, or a number is not one.
    """
    values: dict[str, Any] = {}
    for field in fields(kind):
        name = field.name.upper()
        text = environ.get(name, "")
        if not text:
            if field.default is MISSING:
                raise MissingSetting(
                    f"environment variable {name} is not set; deploy the stacks again to set it"
                )
            continue
        values[field.name] = _KINDS.get(str(field.type), _text)(name, text)
    return kind(**values)


def _text(_: str, text: str) -> str:
    return text


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise MissingSetting(f"environment variable {name}={text!r} is not a whole number") from None


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise MissingSetting(f"environment variable {name}={text!r} is not a number")
    return number


_KINDS: Mapping[str, Callable[[str, str], Any]] = {"int": _whole, "float": _number}
