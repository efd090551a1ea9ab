"""Where the network errs: the confusion matrix, the pairs it mixes up with their pictures, every class."""

from __future__ import annotations

from html import escape
from typing import Final

from training_code.report.charts import SPOTS, confusion_map, matrix
from training_code.report.record import Record

_TABLE_CLASSES: Final = 30
_MAP_CLASSES: Final = 400
_ROWS: Final = 200


def confusions(record: Record) -> str:
    """The matrix and the pairs."""
    test = record.get("evaluations", {}).get("test")
    if not test:
        return ""
    classes = record["classes"]
    parts = ["<section><h2>Where it errs</h2>"]
    if len(classes) <= _TABLE_CLASSES:
        counts = [[0] * len(classes) for _ in classes]
        for truth, said, count in test["confusion"]:
            counts[truth][said] = count
        parts.append(
            "<p class='note'>Test pictures; a row is the true class, a column what it was taken for.</p>"
            f"<div class='scroll'>{matrix(classes, counts)}</div>"
        )
    elif len(classes) <= _MAP_CLASSES:
        parts.append(
            "<p class='note'>Test pictures; a row is the true class, a column what it was taken for. Blue is "
            f"right, red is wrong, darker is more often; resting on a spot names it.{_left_out(test)}</p>"
            f"<div class='map'>{confusion_map(classes, test['confusion'])}</div>"
        )
    if record["confused"]:
        parts.append(f"<h3>Worst confused pairs</h3><div class='pairs'>{_pairs(record)}</div>")
    else:
        parts.append("<p>Not one test picture is classified wrong.</p>")
    return "".join([*parts, "</section>"])


def _left_out(test: Record) -> str:
    more = len(test["confusion"]) - SPOTS
    return f" The {SPOTS} most frequent are drawn, {more} more are not." if more > 0 else ""


def _pairs(record: Record) -> str:
    classes = record["classes"]
    cards = []
    for each in record["confused"]:
        truth, said = escape(classes[each["is"]]), escape(classes[each["said"]])
        pictures = "".join(
            f"<img src='{picture}' alt='a picture of {truth} taken for {said}'>"
            for picture in each["pictures"]
        )
        plural = "s" * (each["count"] > 1)
        cards.append(
            f"<figure class='card'><div class='strip'>{pictures}</div><figcaption><b>{truth}</b> taken for "
            f"<b>{said}</b><small>{each['count']} picture{plural}</small></figcaption></figure>"
        )
    return "".join(cards)


def per_class(record: Record) -> str:
    """Recall and precision of each class, the lowest first."""
    test = record.get("evaluations", {}).get("test")
    if not test:
        return ""
    ranked = sorted(zip(record["classes"], test["per_class"], strict=True), key=lambda each: each[1][1])
    rows = "".join(
        f"<tr><td>{escape(name)}</td>{_bar(recall)}{_bar(precision)}<td class='number'>{count}</td></tr>"
        for name, (precision, recall, count) in ranked[:_ROWS]
    )
    more = f"<p class='note'>The {_ROWS} lowest of {len(ranked)}.</p>" if len(ranked) > _ROWS else ""
    body = (
        "<table class='plain'><thead><tr><th>class</th><th>recall</th><th>precision</th>"
        f"<th class='number'>test pictures</th></tr></thead><tbody>{rows}</tbody></table>{more}"
    )
    return (
        "<section><h2>By class</h2><p class='note'>Recall: how many of its pictures are found. Precision: "
        f"how many of those taken for it are. Lowest recall first.</p>{body}</section>"
    )


def _bar(share: float) -> str:
    return f"<td><span class='bar' style='--share:{share * 100:.1f}%'></span>{share:.1%}</td>"
