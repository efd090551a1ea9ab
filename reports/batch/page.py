"""A batch's page: how many pictures of each class, which answers to look at first, and what has none."""

from __future__ import annotations

import re
from typing import Any, Final

from contract.batch import Summary
from reports.shared.figures import duration
from reports.shared.markup import NOTHING, draw
from reports.shared.page import document

_PICTURE: Final = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+")
_CLASSES: Final = 60
_Tiles = list[tuple[str, str, str]]


def render(summary: Summary, share: int = 0, shares: int = 1) -> str:
    """The page as HTML.

    Args:
        share: of which instance alone the summary is, from 0; nothing is said of it where `shares` is 1.
        shares: how many instances answered.
    """
    part = f" (share {share + 1} of {shares})" if shares > 1 else ""
    return document(
        f"Batch: {summary.source}",
        [
            draw("shared/page.header", "Batch", f"{summary.source}{part}", _verdict(summary)),
            draw("shared/page.tiles", _figures(summary)),
            _classes(summary),
            _samples(
                "least",
                "Least certain",
                summary.least_certain,
                "Look at these first: the lower the likelier wrong.",
            ),
            _samples(
                "unlike",
                "Unlike training",
                summary.most_unlike,
                "No class of the model may be on these, whatever it says.",
            ),
            _refused(summary),
        ],
        "batch",
    )


def _verdict(summary: Summary) -> str:
    refused = sum(summary.refused.values())
    if not refused:
        return f"All {summary.pictures:,} pictures have an answer."
    has = f"{summary.answered:,} have an answer, and {refused:,} a reason why not"
    return f"Of {summary.pictures:,} pictures {has}."


def _figures(summary: Summary) -> _Tiles:
    refused = sum(summary.refused.values())
    asked = summary.pictures - summary.kept
    speed = f"{asked / summary.seconds:,.0f} a second" if asked and summary.seconds else ""
    kept = f"{summary.kept:,} of them by earlier runs" if summary.kept else f"in {duration(summary.seconds)}"
    model = f"version {summary.model.get('version', '')}"
    name = summary.model.get("name", "")
    promised = summary.certain + summary.uncertain
    share = f"{summary.certain / promised:.1%} of the answers" if promised else "this model promises nothing"
    return [
        ("Pictures", f"{summary.pictures:,}", kept),
        ("Certain", f"{summary.certain:,}", share),
        ("Unlike training", f"{summary.unlike:,}", ""),
        ("Without an answer", f"{refused:,}", ""),
        ("Model", model, f"{name}, {speed}" if speed else name),
    ]


def _classes(summary: Summary) -> Any:
    counts = sorted(summary.classes.items(), key=lambda each: (-each[1], each[0]))
    if not counts:
        return NOTHING
    most = counts[0][1]
    rows = [(name, count, count / summary.answered, count / most) for name, count in counts[:_CLASSES]]
    return draw("batch/page.classes", rows, max(0, len(counts) - _CLASSES))


def _samples(anchor: str, title: str, samples: list[dict[str, Any]], note: str) -> Any:
    if not samples:
        return NOTHING
    shown = [
        {**each, "thumbnail": each["thumbnail"] if _PICTURE.fullmatch(each["thumbnail"]) else ""}
        for each in samples
    ]
    return draw("batch/page.samples", anchor, title, note, shown)


def _refused(summary: Summary) -> Any:
    if not summary.refused:
        return NOTHING
    counts = sorted(summary.refused.items(), key=lambda each: (-each[1], each[0]))
    return draw("batch/page.refused", counts, summary.refusals, sum(summary.refused.values()))
