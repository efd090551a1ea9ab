"""A change of a template shows in review: each is compared with the copy in baselines/.

After a change that was meant: `make baseline`, and commit the new copies with it.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.conftest import ROOMS, Synthesised

BASELINES = Path(__file__).parent / "baselines"

# What changes with every edit of a packaged folder, and says nothing about the templates.
_HASHES = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\bcode/[0-9a-f]{16}/"), "code/<hash>/"),
    (re.compile(r"(ApiDeployment[0-9A-F]{8})[0-9a-f]{32}"), r"\1<hash>"),
)


def _normalised(template: dict[str, Any]) -> str:
    text = json.dumps(template, indent=1, sort_keys=True) + "\n"
    for pattern, replacement in _HASHES:
        text = pattern.sub(replacement, text)
    return text


@pytest.mark.parametrize("room", ROOMS)
def test_the_template_is_the_baseline(sample: Synthesised, room: str) -> None:
    _compare(sample, room)


def test_the_endpoint_of_each_flavour_is_the_baseline(flavour: Synthesised) -> None:
    _compare(flavour, "serving")


def _compare(sample: Synthesised, room: str) -> None:
    baseline = BASELINES / sample.folder.name.removeprefix("synth-") / f"{room}.json"
    new = _normalised(sample.templates[room])
    if os.environ.get("UPDATE_BASELINES"):
        baseline.parent.mkdir(parents=True, exist_ok=True)
        baseline.write_text(new)
    old = baseline.read_text() if baseline.is_file() else ""
    difference = "".join(
        difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(baseline.name), "synthesised")
    )
    assert difference == "", "the template changed; if that was meant: make baseline"


def test_the_baseline_does_not_change_with_the_code_that_is_packaged() -> None:
    one = {"S3Key": "a" * 64 + ".zip", "Prefix": "code/" + "b" * 16 + "/"}
    other = {"S3Key": "c" * 64 + ".zip", "Prefix": "code/" + "d" * 16 + "/"}
    assert _normalised(one) == _normalised(other)


def test_the_baseline_changes_with_anything_else() -> None:
    assert _normalised({"Runtime": "python3.13"}) != _normalised({"Runtime": "python3.14"})
