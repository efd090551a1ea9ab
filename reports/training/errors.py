"""Where the network errs: the confusion matrix, the pairs it mixes up with their pictures, every class."""

from __future__ import annotations

import re
from typing import Any, Final

from markupsafe import Markup

from reports import Record
from reports.shared.charts import SPOTS, confusion_map, matrix
from reports.shared.markup import NOTHING, draw

_TABLE_CLASSES: Final = 30
_MAP_CLASSES: Final = 400
_ROWS: Final = 200
_PICTURE: Final = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+")


def confusions(record: Record) -> Markup:
    """The matrix and the pairs."""
    test = record.get("evaluations", {}).get("test")
    if not test:
        return NOTHING
    classes = record["classes"]
    return draw(
        "training/errors.confusions",
        _matrix(classes, test) if len(classes) <= _TABLE_CLASSES else None,
        confusion_map(classes, test["confusion"]) if len(classes) <= _MAP_CLASSES else None,
        max(0, len(test["confusion"]) - SPOTS),
        SPOTS,
        [_pair(classes, each) for each in record["confused"]],
        record.get("unexplained", ""),
    )


def _matrix(classes: list[str], test: dict[str, Any]) -> Markup:
    counts = [[0] * len(classes) for _ in classes]
    for truth, answer, count in test["confusion"]:
        counts[truth][answer] = count
    return matrix(classes, counts)


def _pair(classes: list[str], each: dict[str, Any]) -> dict[str, Any]:
    kinds = {
        kind: [picture for picture in each.get(kind, ()) if _PICTURE.fullmatch(picture)]
        for kind in ("pictures", "maps")
    }
    return {**each, "is": classes[each["is"]], "said": classes[each["said"]], **kinds}


def per_class(record: Record) -> Markup:
    """Recall and precision of each class, the lowest first."""
    test = record.get("evaluations", {}).get("test")
    if not test:
        return NOTHING
    ranked = sorted(zip(record["classes"], test["per_class"], strict=True), key=lambda each: each[1][1])
    return draw("training/errors.per_class", ranked[:_ROWS], len(ranked))
