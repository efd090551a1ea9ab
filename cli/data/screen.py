"""A picture folder on the screen: what was found in it, how many pictures it has, what it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from cli.data.findings import Finding
from contract.datasets import SPLITS
from contract.datasets.changes import QUIET, Change, Kind
from contract.datasets.manifest import Counts
from contract.words import counted, listed

if TYPE_CHECKING:
    from rich.console import RenderableType

MAX_EXAMPLES = 8
MAX_CLASSES = 15
MAX_CHANGES = 3
_TITLES = {
    "corrupt": "cannot be decoded (skipped)",
    "empty": "empty files (skipped)",
    "unreadable": "cannot be read (skipped)",
    "too large": "too large (skipped)",
    "not a picture": "not pictures (skipped)",
    "other picture": "pictures of another kind (skipped)",
    "duplicate": "duplicates (skipped)",
    "contradiction": "the same picture in two classes (skipped)",
    "class": "classes without pictures",
    "place": "in the wrong place (skipped)",
    "name": "oddly named",
    "decision": "decided about by hand",
    "layout": "not laid out as one folder per class",
}
_OF_ONE = {
    "empty": "empty file (skipped)",
    "not a picture": "not a picture (skipped)",
    "other picture": "picture of another kind (skipped)",
    "duplicate": "duplicate (skipped)",
    "class": "class without pictures",
}
"""Titles that a single finding changes."""
_CHANGES = {
    Kind.ADDED: "added",
    Kind.GONE: "not in this folder any more",
    Kind.RELABELLED: "in another class now",
    Kind.MOVED: "in another split now",
    Kind.RENAMED: "renamed",
}


def change_lines(changes: Iterable[Change]) -> Iterator[tuple[str, bool]]:
    """A line for each kind of change, and whether it takes something away or contradicts what was there."""
    by_kind: dict[Kind, list[Change]] = defaultdict(list)
    for change in changes:
        by_kind[change.kind].append(change)
    for kind in Kind:
        if found := by_kind[kind]:
            examples = listed([*map(_change, found)], MAX_CHANGES)
            yield f"  {len(found)} {_CHANGES[kind]}: {examples}", kind not in QUIET


def _change(change: Change) -> str:
    now, was = change.picture, change.before
    here = f"{now.split}/{now.label}/{now.name}"
    if was is None or change.kind is Kind.GONE:
        return here
    if change.kind is Kind.RELABELLED:
        return f"{here} (was {was.label})"
    return f"{here} (was {was.split if change.kind is Kind.MOVED else was.name})"


def counts_table(counts: Mapping[str, Counts], made_splits: Sequence[str] = ()) -> RenderableType:
    """Pictures per class and split; a star is at the splits that were made here."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("class", overflow="fold")
    for split in SPLITS:
        table.add_column(split + ("*" if split in made_splits else ""), justify="right")
    for label in list(counts)[:MAX_CLASSES]:
        table.add_row(label, *(str(counts[label][split]) for split in SPLITS))
    if len(counts) > MAX_CLASSES:
        table.add_row(f"... {len(counts) - MAX_CLASSES} more", style="dim")
    sums = (str(sum(each[split] for each in counts.values())) for split in SPLITS)
    table.add_row("all", *sums, style="bold")
    return table


def finding_lines(findings: tuple[Finding, ...]) -> list[str]:
    """The findings by kind, each kind with a few examples."""
    by_kind: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding)
    out = []
    for kind, items in by_kind.items():
        title = _TITLES.get(kind, kind)
        out.append(f"{counted(sum(item.files for item in items), _OF_ONE.get(kind, title), title)}:")
        out += [f"  {item.path} {item.why}" for item in items[:MAX_EXAMPLES]]
        if len(items) > MAX_EXAMPLES:
            out.append(f"  ... and {len(items) - MAX_EXAMPLES} more")
    return out
