"""Which settings the user chose: those of cdk.json, or of a file named with `-c config=`.

A name is that of a sample in stacks/samples/; what ends in .json is a path to a file of the same form.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stacks.settings.load import CONTEXT_KEY, SettingsError, load
from stacks.settings.schema import Settings

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "stacks" / "samples"


def chosen(context: Callable[[str], Any]) -> Settings:
    """The settings for this synth; `context` answers a context key's value, or None.

    `-c defaults=` takes a JSON object with other defaults and `-c overrides=` one that goes over what the
    user chose: the command line gives both for the local AWS.

    Raises:
        SettingsError: the file cannot be read, or a setting cannot be used.
    """
    source, values = _values(context)
    return load(_over(_over(_given(context, "defaults"), values), _given(context, "overrides")), source)


def _given(context: Callable[[str], Any], key: str) -> object:
    try:
        return json.loads(context(key) or "{}")
    except (ValueError, TypeError, RecursionError) as error:
        raise SettingsError(f"-c {key}= is not JSON: {error}") from None


def _values(context: Callable[[str], Any]) -> tuple[str, object]:
    """Where the user's settings are from, and what they are."""
    config = context("config")
    if config is None:
        return "cdk.json", context(CONTEXT_KEY) or {}
    path = Path(config) if config.endswith(".json") else SAMPLES / f"{config}.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        samples = ", ".join(sorted(sample.stem for sample in SAMPLES.glob("*.json")))
        raise SettingsError(
            f"config={config}: there is no file {path}; give one of {samples}, or the path of a .json file."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"config={config}: {path} cannot be read as JSON: {error}") from None
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path), values


def _over(defaults: object, values: object) -> object:
    """`values` with what they leave out taken from `defaults`, object by object."""
    if not (isinstance(defaults, dict) and isinstance(values, dict)):
        return values
    return {**defaults, **{key: _over(defaults.get(key), value) for key, value in values.items()}}
