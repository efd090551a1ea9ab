"""Several trainings beside each other: which is better, by how much, at what cost, and what differs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

from training_code.report.charts import Series, timeline
from training_code.report.page import cost, document, duration, header, interval
from training_code.report.record import Record

_STYLES: Final = ("forward", "data", "backward", "to_device", "rest")


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
    said = (
        f"{ranked[0]['job']} is ahead: {first['accuracy']:.1%} of {first['count']} test pictures right, "
        f"{ranked[1]['job']} {second['accuracy']:.1%}."
    )
    prints = {each["data"]["test"]["fingerprint"] for each in tested}
    if len(prints) > 1:
        return f"{said} Mind: they were tested on different pictures, so the figures do not compare."
    spread = math.sqrt(
        sum(each["accuracy"] * (1 - each["accuracy"]) / each["count"] for each in (first, second))
    )
    if first["accuracy"] - second["accuracy"] <= 1.96 * spread:
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
        ("step, middle", lambda each: f"{each['steps']['median_ms']:.0f} ms" if "steps" in each else ""),
        ("rules that triggered", _triggered),
        ("quality gate", _gated),
        ("machine", lambda each: str(each.get("machine", ""))),
    ]
    head = "".join(f"<th>{escape(each.get('job', ''))}</th>" for each in records)
    body = "".join(
        f"<tr><th scope='row'>{name}</th>{''.join(f'<td>{escape(say(each))}</td>' for each in records)}</tr>"
        for name, say in rows
    )
    return (
        "<section><h2>Figures</h2><div class='scroll'><table class='plain beside'><thead><tr><th></th>"
        f"{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _curves(records: Sequence[Record]) -> str:
    known = [each for each in records if each.get("history")]
    if not known:
        return ""
    figures = []
    for key, title, unit in (
        ("valid_loss", "Validation loss", ""),
        ("valid_accuracy", "Validation accuracy", ""),
    ):
        longest = max(len(each["history"]) for each in known)
        series = [
            Series(
                each["job"],
                _STYLES[place % len(_STYLES)],
                _held([epoch[key] for epoch in each["history"]], longest),
            )
            for place, each in enumerate(known)
        ]
        drawn = timeline(list(range(1, longest + 1)), series, unit=unit)
        figures.append(f"<figure><figcaption>{title} by epoch</figcaption>{drawn}</figure>")
    return f"<section><h2>Learning curves</h2><div class='pair'>{''.join(figures)}</div></section>"


def _held(values: list[float], count: int) -> list[float]:
    """A shorter training's last value, held to the end."""
    return values + [values[-1]] * (count - len(values))


def _times(records: Sequence[Record]) -> str:
    timed = [each for each in records if "steps" in each]
    if not timed:
        return ""
    parts = list(timed[0]["steps"]["seconds"])
    head = "".join(f"<th class='number'>{escape(part.replace('_', ' '))}</th>" for part in parts)
    body = "".join(
        f"<tr><th scope='row'>{escape(each['job'])}</th>"
        + "".join(
            f"<td class='number'>{1000 * each['steps']['seconds'][part] / each['steps']['count']:.1f}</td>"
            for part in parts
        )
        + "</tr>"
        for each in timed
    )
    return (
        "<section><h2>Milliseconds of a step</h2><div class='scroll'><table "
        "class='plain'><thead><tr><th></th>"
        f"{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _differences(records: Sequence[Record]) -> str:
    """Hyperparameters, versions and data that are not the same in all."""
    flat = [
        {
            **each.get("hyperparameters", {}),
            **{f"{name} version": value for name, value in each.get("versions", {}).items()},
            **{f"{name} pictures": split["count"] for name, split in each.get("data", {}).items()},
            "code": each.get("code_version", "")[:12],
        }
        for each in records
    ]
    keys = [key for key in dict.fromkeys(key for each in flat for key in each) if key not in ("run",)]
    differing = [key for key in keys if len({str(each.get(key, "")) for each in flat}) > 1]
    if not differing:
        return (
            "<section><h2>What differs</h2><p>Nothing: same hyperparameters, data and versions.</p></section>"
        )
    head = "".join(f"<th>{escape(each.get('job', ''))}</th>" for each in records)
    body = "".join(
        f"<tr><th scope='row'>{escape(key)}</th>"
        + "".join(f"<td>{escape(str(each.get(key, '')))}</td>" for each in flat)
        + "</tr>"
        for key in differing
    )
    return (
        "<section><h2>What differs</h2><div class='scroll'><table class='plain beside'><thead><tr><th></th>"
        f"{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _classes(records: Sequence[Record]) -> str:
    """The classes whose recall differs most."""
    tested = [each for each in records if _test(each)]
    if len(tested) < 2 or any(each["classes"] != tested[0]["classes"] for each in tested):
        return ""
    recalls = [[recall for _, recall, _ in _test(each)["per_class"]] for each in tested]
    spread = sorted(
        range(len(tested[0]["classes"])),
        key=lambda place: min(each[place] for each in recalls) - max(each[place] for each in recalls),
    )
    head = "".join(f"<th class='number'>{escape(each['job'])}</th>" for each in tested)
    body = "".join(
        f"<tr><th scope='row'>{escape(tested[0]['classes'][place])}</th>"
        + "".join(f"<td class='number'>{each[place]:.1%}</td>" for each in recalls)
        + "</tr>"
        for place in spread[:20]
    )
    return (
        "<section><h2>Recall by class, the most different first</h2><div class='scroll'><table class='plain'>"
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
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
    return ", ".join(each["rule"].replace("_", " ") for each in record["findings"]) or "none"
