"""Whether confidence means something: how far it is from accuracy, and what certain answers promise."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from contract.calibration import OPENVINO, PYTORCH
from reports import Record
from reports.shared.charts import Dot, reliability
from reports.shared.figures import interval
from reports.shared.markup import NOTHING, draw

_FORMS: Final = {OPENVINO: "in the serving form", PYTORCH: "by PyTorch"}


def served(record: Record) -> tuple[str, dict[str, Any]] | None:
    """The form that serves, or PyTorch where there is no other, and what its answers came to."""
    told = record.get("calibration")
    if not told:
        return None
    for name in _FORMS:
        if name in told["forms"]:
            return name, told["forms"][name]
    return None


def sentences(record: Record) -> list[str]:
    """For the verdict."""
    found = served(record)
    if found is None:
        return []
    form, precision = found[1], record["calibration"]["precision"]
    test = form["test"]
    if test["certain"] is None:
        return [
            f"That {precision:.0%} of certain answers are right cannot be promised: the "
            f"{form['pictures']} validation pictures are too few or too often taken for another class."
        ]
    if not test["certain"]:
        return [f"None of the test pictures was answered with the certainty that promises {precision:.0%}."]
    return [
        f"Of {test['certain'] / test['count']:.0%} of the test pictures it is certain, and right in "
        f"{test['certain_right'] / test['certain']:.1%} of those; {precision:.0%} was promised."
    ]


def section(record: Record) -> Markup:
    """The reliability before and after, and what was promised and kept on both splits."""
    found = served(record)
    if found is None:
        return NOTHING
    name, form = found
    test = form["test"]
    return draw(
        "training/confidence.section",
        _FORMS[name],
        form,
        reliability(
            [_dots("as trained", "train", test["before"]), _dots("as served", "valid", test["after"])]
        ),
        [(split, form[split], _promise(form[split])) for split in ("valid", "test")],
        record["calibration"]["precision"],
    )


def _dots(name: str, style: str, measured: dict[str, Any]) -> Dot:
    places = [(each["confidence"], each["accuracy"], each["count"]) for each in measured["bins"]]
    return Dot(name, style, places)


def _promise(kept: dict[str, Any]) -> dict[str, Any] | None:
    """The share that was certain, and of that the share that was right with its 95% interval."""
    if not kept["certain"]:
        return None
    right = kept["certain_right"] / kept["certain"]
    low, high = interval(right, kept["certain"])
    return {"share": kept["certain"] / kept["count"], "right": right, "low": low, "high": high}
