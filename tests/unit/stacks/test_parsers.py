"""Whatever cdk.json says: it is settings, or the key that is wrong is named."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.settings.choice import chosen
from stacks.settings.load import CONTEXT_KEY, SettingsError, load
from stacks.settings.schema import Settings
from tests.unit.anything import DEEP, LONG, changed, json_values, refusal

DEFAULTS = dataclasses.asdict(Settings())
KEYS = sorted({*DEFAULTS, *(key for value in DEFAULTS.values() if isinstance(value, dict) for key in value)})
VALUES = json_values(KEYS, ["ml.c7i.large", "demo", "cpu", "gpu", "serverless", "yes", "a@b.c"])


@given(st.data())
def test_any_settings_are_read_or_refused_by_name(data: st.DataObject) -> None:
    assert len(refusal(SettingsError, load, changed(DEFAULTS, data.draw, VALUES), "cdk.json")) < 5_000


@given(VALUES)
def test_any_json_is_settings_or_refused_by_name(values: Any) -> None:
    assert len(refusal(SettingsError, load, values, "cdk.json")) < 5_000


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("project",), "demo\n"),
        (("alert_email",), "a@b.c\n"),
        (("api", "cors_origin"), "https://example.org\n"),
        (("training", "instance_type"), "ml.c7i.large\n"),
        (("training", "instance_type"), "ml.c٧i.large"),
    ],
)
def test_a_setting_is_matched_as_a_whole(path: tuple[str, ...], value: str) -> None:
    values: Any = value
    for key in reversed(path):
        values = {key: values}
    with pytest.raises(SettingsError):
        load(values, "cdk.json")


@given(VALUES.map(json.dumps) | st.sampled_from([DEEP, LONG, "{", "", "\\xff"]))
def test_any_file_of_settings_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path: Path = tmp_path_factory.mktemp("config") / "own.json"
    path.write_text(text)
    context = {"config": str(path)}
    refusal(SettingsError, chosen, context.get)
    refusal(SettingsError, chosen, {"defaults": text, CONTEXT_KEY: {}}.get)
    refusal(SettingsError, chosen, {"overrides": text, CONTEXT_KEY: {}}.get)
