"""docs/insight.md tells of every rule, with the parameters and defaults it really has."""

from __future__ import annotations

import re
from pathlib import Path

from contract.debug_rules import RULES

PAGE = (Path(__file__).parents[3] / "docs" / "insight.md").read_text(encoding="utf-8")


def table() -> dict[str, dict[str, float]]:
    """The rows of the table of rules: each rule's parameters with their values."""
    rows = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and re.fullmatch(r"`\w+`", cells[0]):
            assert all(cells), line
            told = re.findall(r"`(\w+)` ([\d.e+-]+)", cells[2])
            assert ", ".join(f"`{name}` {value}" for name, value in told) == cells[2].replace("none", "")
            rows[cells[0].strip("`")] = {name: float(value) for name, value in told}
    return rows


def test_the_table_has_the_rules_the_code_has_with_the_defaults_they_have() -> None:
    assert table() == {rule: dict(parameters) for rule, parameters in RULES.items()}
    assert list(table()) == list(RULES)
