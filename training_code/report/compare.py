"""Several trainings beside each other: which is better, by how much, at what cost, and what differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

from training_code.report.charts import Line, curves
from training_code.report.insight import usual, words
from training_code.report.page import cost, document, duration, header, interval, shown, speed
from training_code.report.record import Record

_STYLES: Final = ("forward", "optimizer", "backward", "to_device", "data", "rest")
"""Colours of the jobs, in turn."""
_CLASSES: Final = 20


def render(records: Sequence[Record]) -> str:
    """One page for two or more records."""
    title = f"{len(records)} trainings compared"
    sections = [
        header("Comparison", title, verdict(records)),
        _figures(records),
        _curves(records),
        _times(records),
        _differences(records),
        _classes(records),
    ]
    return document(title, sections)


def verdict(records: Sequence[Record]) -> str:
    """Which is the best, and whether the difference to the next is more than chance."""
    tested = [each for each in records if each.get("evaluations", {}).get("test")]
    if len(tested) < 2:
        return "Fewer than two of them were tested, so none can be called the best."
    ranked = sorted(tested, key=lambda each: -_test(each)["accuracy"])
    first, second = _test(ranked[0]), _test(ranked[1])
    level = first["accuracy"] == second["accuracy"]
    said = (
        f"{ranked[0]['job']} and {ranked[1]['job']} are level: {first['accuracy']:.1%} of {first['count']} "
        "test pictures right."
        if level
        else f"{ranked[0]['job']} is ahead: {first['accuracy']:.1%} of {first['count']} test pictures right, "
        f"{ranked[1]['job']} {second['accuracy']:.1%}."
    )
    prints = {each["data"]["test"]["fingerprint"] for each in tested}
    if len(prints) > 1:
        return f"{said} Mind: they were tested on different pictures, so the figures do not compare."
    spread = math.sqrt(
        sum(each["accuracy"] * (1 - each["accuracy"]) / each["count"] for each in (first, second))
    )
    if not level and first["accuracy"] - second["accuracy"] <= 1.96 * spread:
        said += " On so few test pictures that may be chance."
    return said


def _figures(records: Sequence[Record]) -> str:
    rows: list[tuple[str, Callable[[Record], str]]] = [
        ("test accuracy", lambda each: f"{_test(each)['accuracy']:.2%}" if _test(each) else "not tested"),
        ("95% interval", _interval),
        ("test loss", lambda each: f"{_test(each)['loss']:.4f}" if _test(each) else ""),
        ("best epoch", lambda each: f"{each['best_epoch']} of {each['epochs']}" if "epochs" in each else ""),
        ("time", lambda each: duration(each["seconds"]) if "seconds" in each else ""),
        ("cost on AWS", lambda each: cost(each) or ""),
        ("images/s in training", lambda each: speed(each.get("speed"))),
        ("a step takes", lambda each: usual(each["steps"]) if "steps" in each else ""),
        ("rules that triggered", _triggered),
        ("quality gate", _gated),
        ("machine", lambda each: str(each.get("machine", ""))),
    ]
    best = max((_test(each)["accuracy"] for each in records if _test(each)), default=None)
    body = ""
    for name, say in rows:
        cells = [escape(say(each)) for each in records]
        if name == "test accuracy":
            ahead = [best is not None and _test(each).get("accuracy") == best for each in records]
            cells = [f"<b>{cell}</b>" if first else cell for cell, first in zip(cells, ahead, strict=True)]
        if any(cells):
            body += f"<tr><th scope='row'>{name}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return (
        "<section><h2>Figures</h2><div class='scroll'><table class='plain beside'><thead><tr><th></th>"
        f"{_head(records, records)}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _name(place: int, record: Record) -> str:
    """A job's name, with the colour it has on this page."""
    style = _STYLES[place % len(_STYLES)]
    return f"<i class='key {style}'></i>{escape(record.get('job', ''))}"


def _head(records: Sequence[Record], those: Sequence[Record]) -> str:
    """The names of those of the records that a table shows."""
    return "".join(f"<th>{_name(place, each)}</th>" for place, each in enumerate(records) if each in those)


def _curves(records: Sequence[Record]) -> str:
    """Each job's validation by epoch; a shorter training's curve ends earlier."""
    known = [(place, each) for place, each in enumerate(records) if each.get("history")]
    if not known:
        return ""
    figures = []
    for key, title in (("valid_loss", "Validation loss"), ("valid_accuracy", "Validation accuracy")):
        lines = [
            Line(each["job"], _STYLES[place % len(_STYLES)], [epoch[key] for epoch in each["history"]])
            for place, each in known
        ]
        drawn = curves(title, lines, None, percent=key == "valid_accuracy", named=False)
        figures.append(f"<figure><figcaption>{title} by epoch</figcaption>{drawn}</figure>")
    legend = "".join(f"<span>{_name(place, each)}</span>" for place, each in known)
    return (
        f"<section><h2>Learning curves</h2><div class='pair'>{''.join(figures)}</div>"
        f"<p class='legend'>{legend}</p></section>"
    )


def _times(records: Sequence[Record]) -> str:
    timed = [(place, each) for place, each in enumerate(records) if "steps" in each]
    if not timed:
        return ""
    parts = list(timed[0][1]["steps"]["seconds"])
    head = "".join(f"<th class='number'>{escape(part.replace('_', ' '))}</th>" for part in (*parts, "all"))
    body = ""
    for place, each in timed:
        spent = [1000 * each["steps"]["seconds"][part] / each["steps"]["count"] for part in parts]
        cells = "".join(f"<td class='number'>{ms:.1f}</td>" for ms in (*spent, sum(spent)))
        body += f"<tr><th scope='row'>{_name(place, each)}</th>{cells}</tr>"
    return (
        "<section><h2>Milliseconds of a step</h2><p class='note'>Means of all steps; the median, above, "
        "leaves out what happens seldom.</p><div class='scroll'><table class='plain'><thead><tr><th></th>"
        f"{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _differences(records: Sequence[Record]) -> str:
    """Hyperparameters, versions and data that are not the same in all that have told theirs."""
    known = [each for each in records if each.get("hyperparameters")]
    if len(known) < 2:
        return ""
    flat = [
        {
            **each["hyperparameters"],
            **{f"{name} version": value for name, value in each.get("versions", {}).items()},
            **{f"{name} pictures": split["count"] for name, split in each.get("data", {}).items()},
            "code": each.get("code_version", "")[:12],
        }
        for each in known
    ]
    keys = [key for key in dict.fromkeys(key for each in flat for key in each) if key not in ("run",)]
    differing = [key for key in keys if len({str(each.get(key, "")) for each in flat}) > 1]
    silent = ", ".join(str(each.get("job", "")) for each in records if each not in known)
    note = f"<p class='note'>Not known of {escape(silent)}.</p>" if silent else ""
    if not differing:
        return (
            f"<section><h2>What differs</h2>{note}<p>Nothing: same hyperparameters, data and versions.</p>"
            "</section>"
        )
    body = "".join(
        f"<tr><th scope='row'>{escape(key)}</th>"
        + "".join(f"<td>{escape(shown(each.get(key, '')))}</td>" for each in flat)
        + "</tr>"
        for key in differing
    )
    return (
        f"<section><h2>What differs</h2>{note}<div class='scroll'><table class='plain beside'><thead><tr>"
        f"<th></th>{_head(records, known)}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _classes(records: Sequence[Record]) -> str:
    """The classes whose recall differs most."""
    tested = [each for each in records if _test(each)]
    if len(tested) < 2 or any(each["classes"] != tested[0]["classes"] for each in tested):
        return ""
    recalls = [[recall for _, recall, _ in _test(each)["per_class"]] for each in tested]
    spread = [max(column) - min(column) for column in zip(*recalls, strict=True)]
    ranked = [place for place in sorted(range(len(spread)), key=lambda each: -spread[each]) if spread[place]]
    title = "Recall by class"
    if not ranked:
        return f"<section><h2>{title}</h2><p>The same in every class.</p></section>"
    body = "".join(
        f"<tr><th scope='row'>{escape(tested[0]['classes'][place])}</th>"
        + "".join(f"<td class='number'>{each[place]:.1%}</td>" for each in recalls)
        + "</tr>"
        for place in ranked[:_CLASSES]
    )
    same = len(spread) - len(ranked)
    note = f"<p class='note'>The same in {same} of {len(spread)} classes.</p>" if same else ""
    if len(ranked) > _CLASSES:
        note += f"<p class='note'>The first {_CLASSES} of {len(ranked)} that differ.</p>"
    return (
        f"<section><h2>{title}, the most different first</h2><div class='scroll'><table class='plain beside'>"
        f"<thead><tr><th></th>{_head(records, tested)}</tr></thead><tbody>{body}</tbody></table></div>{note}"
        "</section>"
    )


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
    return f"{'passed' if verdict['passed'] else 'not passed'}: {verdict.get('reason', '')}"


def _triggered(record: Record) -> str:
    if "findings" not in record:
        return "not watched"
    return ", ".join(words(each["rule"]) for each in record["findings"]) or "none"
