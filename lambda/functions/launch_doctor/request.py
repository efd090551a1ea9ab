"""What a person asks launch-doctor for: `{"dataset", "weights"?, "instance_type"?, "max_minutes"?,
"max_cost_usd"?, "name"?, "dry_run"?}`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from functions.common.launching import requests, single

_EXAMPLE = '{"dataset": "digits"}'


@dataclass(frozen=True, kw_only=True)
class DoctorRequest:
    """A payload, its shape checked."""

    dataset: str
    dataset_version: int | None
    """None: the newest."""
    weights: str | None
    """The S3 address of a network's weights; None: no network."""
    instance_type: str | None
    max_minutes: int | None
    max_cost_usd: float | None
    name: str | None
    dry_run: bool
    """Check everything and answer as if, but start nothing."""


def parse(payload: object) -> DoctorRequest:
    """The request in a payload.

    Raises:
        InvalidPayload: not an object, a key nobody knows, or a value that is not allowed.
    """
    payload = requests.checked_object(payload, _EXAMPLE)
    requests.check_keys(
        payload, [each.name for each in fields(DoctorRequest) if each.name != "dataset_version"]
    )
    dataset, version = requests.dataset_of(payload, _EXAMPLE)

    return DoctorRequest(
        dataset=dataset,
        dataset_version=version,
        weights=requests.optional_text(payload, "weights"),
        instance_type=single.instance_type(payload),
        max_minutes=single.resource(payload, "max_minutes", "max_runtime_minutes"),
        max_cost_usd=single.resource(payload, "max_cost_usd", "max_cost_usd"),
        name=requests.optional_text(payload, "name"),
        dry_run=requests.flag(payload, "dry_run"),
    )
