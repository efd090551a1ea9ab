"""How a dataset's report, a prediction and the addresses look. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cli.api import Prediction
from cli.dataset import Dataset, Finding
from contract.datasets import SPLITS

if TYPE_CHECKING:
    from rich.console import RenderableType

MAX_EXAMPLES = 8
MAX_CLASSES = 15
_BAR_WIDTH = 30
_TITLES = {
    "corrupt": "cannot be decoded (skipped)",
    "empty": "empty files (skipped)",
    "unreadable": "cannot be read (skipped)",
    "too large": "too large (skipped)",
    "not a picture": "not pictures (skipped)",
    "duplicate": "duplicates (skipped)",
    "contradiction": "the same picture in two classes (skipped)",
    "class": "classes without pictures",
    "place": "in the wrong place (skipped)",
    "name": "oddly named",
}


def dataset_table(dataset: Dataset) -> RenderableType:
    """Pictures per class and split."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("class")
    for split in SPLITS:
        table.add_column(split + ("*" if split in dataset.made_splits else ""), justify="right")
    for label in dataset.classes[:MAX_CLASSES]:
        table.add_row(label, *(str(dataset.count(split, label)) for split in SPLITS))
    if len(dataset.classes) > MAX_CLASSES:
        table.add_row(f"... {len(dataset.classes) - MAX_CLASSES} more", style="dim")
    table.add_row("all", *(str(dataset.count(split)) for split in SPLITS), style="bold")
    return table


def finding_lines(findings: tuple[Finding, ...]) -> list[str]:
    """The findings by kind, each kind with a few examples."""
    by_kind: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding)
    out = []
    for kind, items in by_kind.items():
        out.append(f"{len(items)} {_TITLES.get(kind, kind)}:")
        out += [f"  {item.path} {item.why}" for item in items[:MAX_EXAMPLES]]
        if len(items) > MAX_EXAMPLES:
            out.append(f"  ... and {len(items) - MAX_EXAMPLES} more")
    return out


def prediction(result: Prediction) -> RenderableType:
    """The predicted class, and every returned class with its confidence as a bar."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    model = result.answer.get("model") or {}
    head = Text(result.picture.name, style="dim")
    head.append(f"  {result.predicted_class} ", style="not dim bold green")
    head.append(f"{result.confidence:.1%}", style="not dim bold")
    if model:
        head.append(f"  (model {model.get('name', '?')} version {model.get('version', '?')})")
    table = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    for label, confidence in result.ranking:
        table.add_row(label, f"{confidence:.1%}", Text(bar(confidence), style="green"))
    return Group(head, table)


def bar(fraction: float) -> str:
    """A bar of at most 30 cells for a fraction of 0 to 1."""
    return "█" * round(max(0.0, min(1.0, fraction)) * _BAR_WIDTH)


def address_lines(outputs: dict[str, Any]) -> list[str]:
    """The addresses to go on with, one per line."""
    rows = [
        ("page", outputs["page_url"] or "none: callers of this API sign their requests"),
        ("API", f"{outputs['api_url'].rstrip('/')}/classify"),
        ("key", outputs["api_key"]),
        ("data", f"s3://{outputs['data_bucket']}"),
        ("artifacts", f"s3://{outputs['artifacts_bucket']}"),
        *((name, function) for name, function in outputs["functions"].items()),
    ]
    return [f"{title:<16} {value}" for title, value in rows]
