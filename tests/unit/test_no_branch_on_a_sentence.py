"""No code of ours looks into a sentence for people, but where it has to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = {"why", "reason", "verdict", "message", "said", "ApprovalDescription", "message_of"}
ALLOWED = {
    "lambda/functions/common/sentences.py",  # AWS has one code for many things
    "contract/decisions.py",  # what was written before there was a code
    "contract/pictures/file.py",  # Pillow has one exception for many things
    "cli/explain.py",  # _no_such_stack: as the first
}


def _names(node: ast.AST) -> set[str]:
    """What a value is called: variables, attributes, called functions and keys in it."""
    found = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found.add(each.id)
        elif isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found.add(each.value)
    return found


def _looked_into(tree: ast.AST) -> Iterator[tuple[int, ast.AST]]:
    """Every value that is searched for words: `x in value`, `value.startswith(x)`, a regex's match."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
                yield node.lineno, node.comparators[0]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("startswith", "endswith", "find"):
                yield node.lineno, node.func.value
            elif node.func.attr in ("match", "search", "fullmatch") and node.args:
                yield node.lineno, node.args[-1]


def test_nothing_but_the_named_places_looks_into_a_sentence() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ("contract", "lambda", "cli")
        for path in sorted((ROOT / room).rglob("*.py"))
        if str(path.relative_to(ROOT)) not in ALLOWED
        for line, value in _looked_into(ast.parse(path.read_text(encoding="utf-8")))
        if _names(value) & SENTENCES
    ]
    assert found == []


def test_the_search_finds_what_it_is_for() -> None:
    for line in (
        'if "rollback" in package.why.lower(): pass',
        'package.why.startswith("taken back to ")',
        "decision.why.startswith(WOKEN)",
        'if "does not exist" in message_of(error): pass',
        'if "not found" in message.lower(): pass',
        "_OLD.match(reason)",
    ):
        assert any(_names(value) & SENTENCES for _, value in _looked_into(ast.parse(line))), line
