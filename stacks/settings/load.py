"""Reading the settings out of JSON, and checking them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

from contract import instances, prices
from contract.words import did_you_mean
from stacks.settings.rules import Rule
from stacks.settings.schema import Settings
from stacks.settings.serving import DEFAULT_SERVING_INSTANCE, GPU, SERVERLESS, ServingSettings

CONTEXT_KEY = "classifier"


class SettingsError(Exception):
    """A setting that cannot be used; the message names the key, the file and what is allowed."""


def load(values: object, source: str) -> Settings:
    """Read the settings out of a JSON value, whose missing keys take their defaults; `source` is its file.

    Raises:
        SettingsError: for the first key or value that cannot be used.
    """
    settings: Settings = _read(Settings, values, CONTEXT_KEY, source)
    _check_serving(settings.serving, source)
    _check_capture(settings, source)
    _check_shadow(settings.serving, source)
    _check_retrain(settings, source)
    for each in settings.training.instances:
        _check_instance("training.instance_type", each, prices.TRAINING, source)
    return settings


def _read(kind: type[Any], values: object, path: str, source: str) -> Any:
    if not isinstance(values, Mapping):
        raise SettingsError(f"{source}: {path} must be a JSON object of settings, not {_as_json(values)}.")
    by_name = {item.name: item for item in fields(kind)}
    hints = get_type_hints(kind)
    for key in values:
        if key not in by_name:
            guess = _moved(f"{path}.{key}") or did_you_mean(str(key), by_name)
            raise SettingsError(
                f"{source}: {path}.{str(key)[:60]} is not a setting.{guess} Known here: {', '.join(by_name)}."
            )
    read: dict[str, Any] = {}
    for key, value in values.items():
        item, rule = by_name[key], by_name[key].metadata.get("rule")
        if is_dataclass(hints[key]):
            read[key] = _read(item.default_factory, value, f"{path}.{key}", source)  # type: ignore[arg-type]
        elif isinstance(rule, Rule) and rule.accepts(value):
            read[key] = tuple(value) if isinstance(value, list) else value
        elif isinstance(rule, Rule):
            default = "" if item.default in (MISSING, "", ()) else f" (default: {_listed(item.default)})"
            raise SettingsError(
                f"{source}: {path}.{key} is {_as_json(value)}; allowed is {rule.allowed}{default}."
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


def _check_shadow(serving: ServingSettings, source: str) -> None:
    if serving.shadows and not serving.has_own_instances:
        raise SettingsError(
            f"{source}: {CONTEXT_KEY}.serving.shadow.hours is {serving.shadow.hours}, but AWS copies requests"
            " on endpoints with instances of their own only; set it to 0, or leave out scale_to_zero and the"
            " flavour serverless."
        )


def _check_retrain(settings: Settings, source: str) -> None:
    """Nothing could ever start where nothing is measured or given."""
    where, retrain = f"{source}: {CONTEXT_KEY}.retrain", settings.retrain
    if retrain.on_drift and not settings.drift.capture_percent:
        raise SettingsError(
            f"{where}.on_drift is true, but drift is looked for in captured answers only; set"
            f" {CONTEXT_KEY}.drift.capture_percent above 0, or on_drift to false."
        )
    if retrain.corrections and not settings.corrections.days:
        raise SettingsError(
            f"{where}.corrections is {retrain.corrections}, but no sender can give a picture; set"
            f" {CONTEXT_KEY}.corrections.days above 0, or retrain.corrections to 0."
        )


def _moved(path: str) -> str:
    """Where a setting is that stood elsewhere in earlier versions."""
    return " It is retrain.on_drift now, true or false." if path == f"{CONTEXT_KEY}.drift.retrain" else ""


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


def _listed(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _as_json(value: object) -> str:
    """The value as it stands in the JSON file, short enough for a message."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, RecursionError):  # an int of thousands of digits, or brackets in brackets
        text = f"{type(value).__name__} of a size that nobody wrote by hand"
    return text if len(text) <= 80 else text[:77] + "..."
