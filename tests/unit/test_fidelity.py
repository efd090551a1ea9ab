"""docs/fidelity.md says nothing that is not there: every place and every test it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from local_aws.ministack_adapter import objects, rules
from local_aws.sagemaker.hosting import runtime
from local_aws.sagemaker.serving import serverless
from local_aws.sagemaker.tuning import checks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and "::" in line
]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


@cache
def names(path: str) -> set[str]:
    """What a module defines at its top."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else []
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


# As AWS's pages have them: a test that takes the number from our code would let any number pass.
AWSS = {
    "a function's payload": (rules.MAX_PAYLOAD, 6 * 1024**2),
    "a function's later payload": (rules.MAX_ASYNC_PAYLOAD, 1024**2),
    "a function's package": (rules.MAX_ZIP_UPLOAD, 50 * 1024**2),
    "a function's environment": (rules.MAX_ENVIRONMENT, 4096),
    "a key": (objects.MAX_KEY, 1024),
    "a key's metadata": (objects.MAX_METADATA, 2048),
    "an endpoint's request": (runtime.MAX_BODY, 25 * 1024**2),
    "a serverless endpoint's request": (serverless.MAX_BODY, 4 * 1024**2),
    "a search's hyperparameters": (checks.MAX_HYPERPARAMETERS, 100),
    "a search's trials at a time": (checks.MAX_PARALLEL, 100),
    "a warm start's changes": (checks.MAX_CHANGED, 10),
}


@pytest.mark.parametrize("what", AWSS)
def test_a_limit_is_awss_own_number(what: str) -> None:
    ours, awss = AWSS[what]
    assert ours == awss


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_what_the_page_names_is_there(path: str, name: str) -> None:
    assert (ROOT / path).is_file()
    assert name in names(path)


def test_every_row_has_awss_words_a_place_and_a_test() -> None:
    assert len(ROWS) > 40
    for row in ROWS:
        test = row[-1].strip("`")
        assert test.startswith(("tests/", "local_aws/tests/"))
        assert "::test_" in test
        if len(row) == 2:  # what only an account can prove
            assert test.startswith("tests/system/")
            continue
        _, words, place, _ = row
        assert re.search(r"\]\(https://", words), row
        assert place.strip("`").startswith("local_aws/"), row
