"""What a person asks launch-batch for: `{"source", "version"?, "format"?, "features"?, "relative"?,
"afresh"?, "spot"?, "instance_type"?, "instance_count"?, "max_minutes"?, "max_cost_usd"?, "name"?,
"dry_run"?, "expected"?}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from contract.batch import FORMATS, JSON_LINES
from functions.common.errors import InvalidPayload
from functions.common.launching import requests, single
from functions.common.recipes.keys import quoted

_EXAMPLE = '{"source": "s3://bucket/folder/"}'
_SOURCE = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>.*)", re.DOTALL)
_LONGEST_KEY = 1024
_MOST_PICTURES = 10**9


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """A payload, its shape checked."""

    source: str
    """An S3 address with a slash at its end."""
    bucket: str
    key: str
    version: int | None
    """Of the model; None: the champion."""
    format: str
    features: bool
    """Each picture's features are kept beside its answer."""
    relative: bool
    """Pictures are named by their place below the source, and not by their whole key."""
    afresh: bool
    """What earlier runs answered is asked again."""
    spot: bool
    instance_type: str | None
    instance_count: int
    max_minutes: int | None
    max_cost_usd: float | None
    name: str | None
    dry_run: bool
    """Check everything and answer as if, but start nothing."""
    expected: int | None
    """Of a dry run: how many pictures will lie there, which are not sent yet."""


def parse(payload: object) -> BatchRequest:
    """The request in a payload.

    Raises:
        InvalidPayload: not an object, a key nobody knows, or a value that is not allowed.
    """
    payload = requests.checked_object(payload, _EXAMPLE)
    requests.check_keys(
        payload, [each.name for each in fields(BatchRequest) if each.name not in ("bucket", "key")]
    )
    bucket, key = _source(payload)
    form = requests.optional_text(payload, "format") or JSON_LINES
    if form not in FORMATS:
        raise InvalidPayload(f"format = {quoted(form)} has to be {' or '.join(FORMATS)}")
    dry_run, expected = requests.flag(payload, "dry_run"), _whole(payload, "expected", _MOST_PICTURES)
    if expected is not None and not dry_run:
        raise InvalidPayload("expected goes with dry_run")
    return BatchRequest(
        source=f"s3://{bucket}/{key}",
        bucket=bucket,
        key=key,
        version=_whole(payload, "version", _MOST_PICTURES),
        format=form,
        features=requests.flag(payload, "features"),
        relative=requests.flag(payload, "relative"),
        afresh=requests.flag(payload, "afresh"),
        spot=requests.flag({"spot": True, **payload}, "spot"),
        instance_type=single.instance_type(payload),
        instance_count=single.resource(payload, "instance_count", "instance_count") or 1,
        max_minutes=single.resource(payload, "max_minutes", "max_runtime_minutes"),
        max_cost_usd=single.resource(payload, "max_cost_usd", "max_cost_usd"),
        name=requests.optional_text(payload, "name"),
        dry_run=dry_run,
        expected=expected,
    )


def _source(payload: Mapping[str, object]) -> tuple[str, str]:
    """Bucket and key of the address, which is a folder's: a slash ends it."""
    value = payload.get("source")
    if value is None:
        raise InvalidPayload(f'the payload lacks "source"; for example {_EXAMPLE}')
    found = _SOURCE.fullmatch(value) if isinstance(value, str) else None
    key = found["key"].rstrip("/") if found else ""
    if found is None or not key or len(key.encode()) > _LONGEST_KEY:
        raise InvalidPayload(
            f"source = {quoted(value)} is not the S3 address of a folder; for example {_EXAMPLE}"
        )
    return found["bucket"], f"{key}/"


def _whole(payload: Mapping[str, object], key: str, most: int) -> int | None:
    value = payload.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidPayload(f"{key} = {quoted(value)} has to be a whole number from 1")
    return value
