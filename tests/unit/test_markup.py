"""Markup is written by templates that escape, and by nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("cli", "lambda", "reports", "training_code", "inference_code", "stacks", "local_aws/src")


@pytest.mark.parametrize("room", ROOMS)
def test_no_program_text_holds_markup(room: str) -> None:
    tags = re.compile(r"</[a-z][a-z0-9]*>|<(?:div|span|svg|table|img|script)\b")
    found = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / room).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if tags.search(line)
    }
    # The Content-Security-Policy finds the script and the style of a page that is a file.
    assert found <= {
        r'lambda/classify/page.py: contents = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)'
    }


@pytest.mark.parametrize("room", ["shared", "training", "ended", "search"])
def test_every_template_escapes_and_none_says_otherwise(room: str) -> None:
    templates = sorted((ROOT / "reports" / room).glob("*.html"))
    assert templates
    assert not [path for path in templates if re.search(r"\|\s*safe|autoescape|<script", path.read_text())]
