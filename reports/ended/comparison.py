"""Several trainings beside each other: which is better, by how much, at what cost, and what differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from markupsafe import Markup

from contract.decisions import Outcome
from reports import Record
from reports.ended.gate import approval
from reports.shared.charts import Line, curves
from reports.shared.figures import cost, duration, interval, rule_name, speed, step_time, value_text
from reports.shared.markup import NOTHING, draw
from reports.shared.page import document

_STYLES: Final = ("forward", "optimizer", "backward", "to_device", "data", "rest")
"""Colours of the jobs, in turn."""
_CLASSES: Final = 20


def render(records: Sequence[Record]) -> str:
    """One page for two or more records."""
    title = f"{len(records)} trainings compared"
    sections = [
        draw("shared/page.header", "Comparison", title, verdict(records)),
        _figures(records),
        _curves(records),
        _times(records),
        _differences(records),
        _classes(records),
    ]
    return document(title, sections, "training", "ended")


def verdict(records: Sequence[Record]) -> str:
    """Which is the best, and whether the difference to the next is more than chance."""
    tested = [each for each in records if each.get("evaluations", {}).get("test")]
    if len(tested) < 2:
        return "Fewer than two of them were tested, so none can be called the best."
    ranked = sorted(tested, key=lambda each: -_test(each)["accuracy"])
    first, second = _test(ranked[0]), _test(ranked[1])
    if not _on_the_same(tested):
        figures = ", ".join(f"{each['job']} {_test(each)['accuracy']:.1%}" for each in ranked)
        return f"They were tested on different pictures, so their figures do not compare: {figures} right."
    level = first["accuracy"] == second["accuracy"]
    result = (
        f"{ranked[0]['job']} and {ranked[1]['job']} are level: {first['accuracy']:.1%} of {first['count']} "
        "test pictures right."
        if level
        else f"{ranked[0]['job']} is ahead: {first['accuracy']:.1%} of {first['count']} test pictures right, "
        f"{ranked[1]['job']} {second['accuracy']:.1%}."
    )
    spread = math.sqrt(
        sum(each["accuracy"] * (1 - each["accuracy"]) / each["count"] for each in (first, second))
    )
    if not level and first["accuracy"] - second["accuracy"] <= 1.96 * spread:
        result += " On so few test pictures that may be chance."
    return result


def _on_the_same(tested: Sequence[Record]) -> bool:
    """Whether all were tested on the same pictures: the figures of others do not compare."""
    return len({each["data"]["test"]["fingerprint"] for each in tested}) == 1


def _figures(records: Sequence[Record]) -> Markup:
    rows: list[tuple[str, Callable[[Record], str]]] = [
        ("test accuracy", lambda each: f"{_test(each)['accuracy']:.2%}" if _test(each) else "not tested"),
        ("95% interval", _interval),
        ("test loss", lambda each: f"{_test(each)['loss']:.4f}" if _test(each) else ""),
        ("best epoch", lambda each: f"{each['best_epoch']} of {each['epochs']}" if "epochs" in each else ""),
        ("time", lambda each: duration(each["seconds"]) if "seconds" in each else ""),
        ("cost on AWS", lambda each: cost(each) or ""),
        ("images/s in training", lambda each: speed(each.get("speed"))),
        ("a step takes", lambda each: step_time(each["steps"]) if "steps" in each else ""),
        ("rules that triggered", _triggered),
        ("quality gate", _gated),
        ("machine", lambda each: str(each.get("machine", ""))),
    ]
    tested = [each for each in records if _test(each)]
    best = max(_test(each)["accuracy"] for each in tested) if _on_the_same(tested) else None
    figures = []
    for name, say in rows:
        ahead = name == "test accuracy" and best is not None
        cells = [(say(each), ahead and _test(each).get("accuracy") == best) for each in records]
        if any(text for text, _ in cells):
            figures.append((name, cells))
    return draw("ended/comparison.figures", _names(records, records), figures)


def _names(records: Sequence[Record], those: Sequence[Record]) -> list[dict[str, str]]:
    """The names of those of the records that a table shows, with the colours they have on this page."""
    return [_name(place, each) for place, each in enumerate(records) if each in those]


def _name(place: int, record: Record) -> dict[str, str]:
    return {"name": record.get("job", ""), "style": _STYLES[place % len(_STYLES)]}


def _curves(records: Sequence[Record]) -> Markup:
    """Each job's validation by epoch; a shorter training's curve ends earlier."""
    trained = [(_name(place, each), each) for place, each in enumerate(records) if each.get("history")]
    if not trained:
        return NOTHING
    figures = []
    for key, title in (("valid_loss", "Validation loss"), ("valid_accuracy", "Validation accuracy")):
        lines = [
            Line(name["name"], name["style"], [epoch[key] for epoch in each["history"]])
            for name, each in trained
        ]
        figures.append((title, curves(title, lines, None, percent=key == "valid_accuracy", named=False)))
    return draw("ended/comparison.curves", [name for name, _ in trained], figures)


def _times(records: Sequence[Record]) -> Markup:
    timed = [(_name(place, each), each["steps"]) for place, each in enumerate(records) if "steps" in each]
    if not timed:
        return NOTHING
    parts = list(timed[0][1]["seconds"])
    rows = []
    for name, steps in timed:
        spent = [1000 * steps["seconds"][part] / steps["count"] for part in parts]
        rows.append((name, [*spent, sum(spent)]))
    return draw("ended/comparison.times", [part.replace("_", " ") for part in (*parts, "all")], rows)


def _differences(records: Sequence[Record]) -> Markup:
    """Hyperparameters, versions and data that are not the same in all that have told theirs."""
    configured = [each for each in records if each.get("hyperparameters")]
    if len(configured) < 2:
        return NOTHING
    flat = [
        {
            **each["hyperparameters"],
            **{f"{name} version": value for name, value in each.get("versions", {}).items()},
            **{f"{name} pictures": split["count"] for name, split in each.get("data", {}).items()},
            "code": each.get("code_version", "")[:12],
        }
        for each in configured
    ]
    keys = [key for key in dict.fromkeys(key for each in flat for key in each) if key not in ("run",)]
    differing = [key for key in keys if len({str(each.get(key, "")) for each in flat}) > 1]
    silent = ", ".join(str(each.get("job", "")) for each in records if each not in configured)
    rows = [(key, [value_text(each.get(key, "")) for each in flat]) for key in differing]
    return draw("ended/comparison.differences", silent, _names(records, configured), rows)


def _classes(records: Sequence[Record]) -> Markup:
    """The classes whose recall differs most."""
    tested = [each for each in records if _test(each)]
    if len(tested) < 2 or any(each["classes"] != tested[0]["classes"] for each in tested):
        return NOTHING
    recalls = [[recall for _, recall, _ in _test(each)["per_class"]] for each in tested]
    spread = [max(column) - min(column) for column in zip(*recalls, strict=True)]
    ranked = [place for place in sorted(range(len(spread)), key=lambda each: -spread[each]) if spread[place]]
    rows = [(tested[0]["classes"][place], [each[place] for each in recalls]) for place in ranked[:_CLASSES]]
    return draw("ended/comparison.classes", _names(records, tested), rows, len(ranked), len(spread))


def _test(record: Record) -> dict[str, Any]:
    test: dict[str, Any] = record.get("evaluations", {}).get("test") or {}
    return test


def _interval(record: Record) -> str:
    test = _test(record)
    if not test:
        return ""
    low, high = interval(test["accuracy"], test["count"])
    return f"{low:.1%} to {high:.1%}"


def _gated(record: Record) -> str:
    verdict = record.get("verdict") or {}
    if "passed" not in verdict:
        return "not judged"
    words = f"{'passed' if verdict['passed'] else 'not passed'}: {verdict.get('reason', '')}"
    waits = verdict.get("outcome") == Outcome.OTHER_CLASSES
    return f"{words} ({approval(verdict)})" if waits else words


def _triggered(record: Record) -> str:
    if "findings" not in record:
        return "not watched"
    return ", ".join(rule_name(each["rule"]) for each in record["findings"]) or "none"
