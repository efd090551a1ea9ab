"""What the pages are made of: tables in Markdown, and the words that stand below a class's fields."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterable, Sequence


def field_words(kind: type) -> dict[str, str]:
    """What the docstring below each field of a class says, on one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    words = {}
    for field, after in itertools.pairwise(body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            words[field.target.id] = _line(str(after.value.value))
    return words


def class_words(kind: type) -> str:
    """A class's own docstring on one line; nothing where it has none but that of its dataclass."""
    words = _line(kind.__doc__ or "")
    return "" if words.startswith(f"{kind.__name__}(") else words


def _line(docstring: str) -> str:
    """On one line, with links in place of the pages that it names."""
    return re.sub(r"docs/([\w-]+)\.md", r"[\1](\1.md)", " ".join(docstring.split()))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell is written so that it does not."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
