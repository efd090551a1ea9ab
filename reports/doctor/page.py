"""The doctor's page: the worst first, with pictures, and marks that become a file of decisions.

It works from a file: marks stay in the browser, and its button saves them as decisions.csv.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from markupsafe import Markup

from contract.datasets import SPLITS
from contract.picture_decisions import COLUMNS, FILE, Action
from reports import Record
from reports.shared.markup import ROOT, draw
from reports.shared.page import document

_PICTURE: Final = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+")
_TITLES: Final = {
    "contradiction": ("In two classes", "The same picture under different labels: one of them is wrong."),
    "leak": ("In two splits", "A test picture that was learned from flatters the model."),
    "unreadable": ("Unreadable", "No training can use these."),
    "wrong-label": (
        "Likely wrong labels",
        "What a classifier that has not seen the picture says. The likeliest first; look before you agree.",
    ),
    "spellings": ("One class under two names", "Rename one of the folders."),
    "overlap": ("Classes that overlap", "Perhaps one class, or one that needs a clearer rule."),
    "small-class": ("Small classes", "Too few pictures to learn or to test from."),
    "duplicate": ("Duplicates in one split", "They do little harm, and show nothing new."),
    "blank": ("Blank", "Pictures that show nothing."),
    "odd": ("Odd ones out", "Unlike the other pictures: perhaps of something else."),
    "blurred": ("Blurred", "Perhaps too unsharp to be told."),
    "dark": ("Dark", "Next to black."),
    "bright": ("Bright", "Next to white."),
    "size": ("Of an odd size", "Much smaller or longer than the others."),
}
_CLASSES: Final = 40


def render(
    record: Record, sections: Sequence[dict[str, Any]], others: Sequence[Sequence[str]], left_out: int
) -> str:
    """The page as HTML.

    Args:
        record: findings.json.
        sections: by kind, the worst kind first: `kind`, `total`, and `rows` with their pictures.
        others: proposals for pictures that are not shown, as cells of a decisions.csv.
        left_out: how many more proposals there are.
    """
    classes = sorted(record["statistics"]["classes"])
    drawn = [draw("doctor/page.kind", *_section(each)) for each in sections]
    return document(
        f"Doctor: {record['dataset']}",
        [
            draw("shared/page.header", "Doctor", str(record["dataset"]), _verdict(record)),
            draw("shared/page.tiles", _figures(record)),
            draw(
                "doctor/page.bar",
                [(each["kind"], _TITLES[each["kind"]][0], each["total"]) for each in sections],
                FILE,
                classes,
            ),
            draw("doctor/page.trust", _trust(record), record["notes"], left_out, FILE),
            *drawn,
            draw("doctor/page.statistics", *_statistics(record)),
            _script(record, others),
        ],
        "doctor",
    )


def _section(section: dict[str, Any]) -> tuple[Any, ...]:
    title, note = _TITLES[section["kind"]]
    for row in section["rows"]:
        for picture in row["pictures"]:
            if not _PICTURE.fullmatch(picture["thumbnail"]):
                picture["thumbnail"] = ""
    return section["kind"], title, note, section["total"], section["rows"], list(Action), SPLITS


def _verdict(record: Record) -> str:
    counts, statistics = record["counts"], record["statistics"]
    total = statistics["pictures"]
    if not counts:
        return f"Nothing is wrong that the doctor can see in {total:,} pictures."
    words = (
        ("contradiction", "in two classes at once"),
        ("leak", "in two splits at once"),
        ("unreadable", "unreadable"),
        ("wrong-label", "likely labelled wrong"),
        ("duplicate", "there more than once"),
    )
    found = [f"{counts[kind]:,} {what}" for kind, what in words if kind in counts]
    rest = sum(count for kind, count in counts.items() if kind not in dict(words))
    if rest:
        found.append(f"{rest:,} to look at for other reasons")
    return f"Of {total:,} pictures: {', '.join(found)}."


def _figures(record: Record) -> list[tuple[str, str, str]]:
    counts, statistics = record["counts"], record["statistics"]
    unreadable = statistics["pictures"] - statistics["readable"]
    return [
        ("Pictures", f"{statistics['pictures']:,}", f"{unreadable} of them unreadable"),
        ("Classes", f"{len(statistics['classes']):,}", _spread(statistics["classes"])),
        ("Wrong labels", f"{counts.get('wrong-label', 0):,}", "likely"),
        ("Copies", f"{counts.get('leak', 0) + counts.get('contradiction', 0):,}", "across splits or classes"),
    ]


def _spread(classes: dict[str, dict[str, int]]) -> str:
    sizes = [sum(counts.values()) for counts in classes.values()]
    return f"{min(sizes):,} to {max(sizes):,} pictures each" if sizes else ""


def _trust(record: Record) -> str:
    if record["out_of_fold_accuracy"] is None:
        return "There is one class only, so no label was judged."
    right = f"{record['out_of_fold_accuracy']:.0%}"
    if record["features"] == "handmade":
        return (
            "Labels were judged by features made by hand (edges, colours), which say the given class of "
            f"{right} of the pictures. That is good for digits, symbols and scans; of photographs believe "
            "it only where this share is high, or run it again with --weights and a network's file."
        )
    return (
        f"Labels were judged by the features of {record['features']}, which say the given class of {right} "
        "of the pictures. The higher that is, the more a contradiction means."
    )


def _statistics(record: Record) -> tuple[Any, ...]:
    statistics = record["statistics"]
    there = {split for counts in statistics["classes"].values() for split in counts}
    splits = [split for split in (*SPLITS, "") if split in there]
    sizes = {label: sum(counts.values()) for label, counts in statistics["classes"].items()}
    ordered = sorted(sizes, key=lambda label: (sizes[label], label))
    rows = [
        (label, [statistics["classes"][label].get(split, 0) for split in splits], sizes[label])
        for label in ordered[:_CLASSES]
    ]
    return (
        [split or "no split" for split in splits],
        rows,
        max(0, len(ordered) - _CLASSES),
        statistics["formats"],
        [(name, statistics[name]) for name in ("width", "height") if statistics[name]],
    )


def _script(record: Record, others: Sequence[Sequence[str]]) -> Markup:
    """The page's own script, and what it needs to know, which cannot end its element."""
    names = json.dumps([record["dataset"], record["statistics"]["pictures"], record["counts"]])
    known = {
        "store": "doctor-" + hashlib.sha256(names.encode("utf-8", "replace")).hexdigest()[:16],
        "file": FILE,
        "columns": COLUMNS,
        "others": others,
    }
    data = json.dumps(known).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    code = (ROOT / "doctor" / "marks.js").read_text(encoding="utf-8")
    # Our own script, and JSON without a less-than sign.
    return draw("doctor/page.script", Markup(data), Markup(code))  # noqa: S704
