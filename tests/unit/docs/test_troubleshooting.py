"""docs/troubleshooting.md explains messages that the code still says, and codes that the API still has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tools.pages import Page
from tools.pins import ROOT

PAGE = Page(ROOT / "docs" / "troubleshooting.md")
ROOMS = ("cli", "contract", "lambda", "training_code")
FIRST = re.findall(r"^\| `([^`]+)` \|", PAGE.text, re.MULTILINE)
MESSAGES = [each for each in FIRST if " " in each]
CODES = [each for each in FIRST if " " not in each]


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text of some code, with … in place of what is filled in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@cache
def said() -> str:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    found = [text for path in files for text in texts(ast.parse(path.read_text(encoding="utf-8")))]
    script = (ROOT / "tools" / "install.sh").read_text(encoding="utf-8")
    found.append(re.sub(r"\$\w+", "…", script))
    return "\n".join(found)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_one_that_the_code_says(message: str) -> None:
    assert message in said()


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_one_that_the_api_answers(code: str) -> None:
    assert f"`{code}`" in (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert code in said()


def test_messages_and_codes_are_found() -> None:
    assert len(MESSAGES) > 20
    assert len(CODES) > 4
    assert "The stack … is not deployed" in said()
    assert "No such message of anything" not in said()
