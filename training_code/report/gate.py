"""What the quality gate said of the model, with the numbers its word rests on.

The gate judges after the job has ended and leaves verdict.json, so only a page that is drawn later shows it.
Figures that an older verdict does not have are left out.
"""

from __future__ import annotations

from html import escape
from typing import Any, Final

from training_code.report.charts import stack
from training_code.report.insight import sentence
from training_code.report.record import Record

_APPROVALS: Final = {
    "Approved": "approved: it goes into service",
    "PendingManualApproval": "waiting for somebody to approve it",
    "Rejected": "rejected",
}
_NAMED: Final = 8


def gate(record: Record) -> str:
    """The section; empty when the gate has not judged."""
    verdict = record.get("verdict")
    if not verdict or "passed" not in verdict:
        return ""
    passed = verdict["passed"]
    mark = "<span class='mark good'>passed</span>" if passed else "<span class='mark bad'>not passed</span>"
    approval = _APPROVALS.get(str(verdict.get("approval")), "")
    said = f"<p class='note'>The model is {escape(approval)}.</p>" if approval else ""
    return (
        f"<section><h2>Quality gate {mark}</h2>"
        f"<p>{escape(sentence(str(verdict.get('reason', ''))))}</p>{said}"
        f"{_bounds(record, verdict)}{_champion(verdict)}</section>"
    )


def _bounds(record: Record, verdict: dict[str, Any]) -> str:
    """What was measured, against the floors and ceilings that are set."""
    floors, ceilings = verdict.get("floors") or {}, verdict.get("ceilings") or {}
    rows = []
    accuracy, guessing = verdict.get("test_accuracy"), verdict.get("guessing_accuracy") or 0.0
    if accuracy is not None:
        floor = floors.get("accuracy") or 0.0
        bound = f"at least {floor:.1%}, " if floor else ""
        bound += f"above {guessing:.1%} (always one class)" if guessing else ""
        measured = f"{accuracy:.1%} of {verdict['test_pictures']}" if "test_pictures" in verdict else ""
        rows.append(("Test pictures right", measured, bound, accuracy >= floor and accuracy > guessing))
    recall = verdict.get("lowest_class_recall")
    if recall is not None:
        floor, name = floors.get("class_recall") or 0.0, verdict.get("lowest_class")
        of = f"{recall:.1%}" + (f", class {name}" if name else "")
        rows.append(
            ("Lowest recall of a class", of, f"at least {floor:.1%}" if floor else "", recall >= floor)
        )
    for key, what, unit in (("latency_ms", "A picture takes", "ms"), ("size_mb", "The model has", "MB")):
        value, ceiling = verdict.get(key), ceilings.get(key) or 0
        if value is not None or ceiling:
            measured = "not measured" if value is None else f"{value:.3g} {unit}"
            good = not ceiling or (value is not None and value <= ceiling)
            rows.append((what, measured, f"at most {ceiling:g} {unit}" if ceiling else "", good))
    body = "".join(
        f"<tr><td>{escape(what)}</td><td>{escape(measured)}</td><td>{escape(bound) or 'no bound set'}</td>"
        f"<td>{_mark(good) if bound else ''}</td></tr>"
        for what, measured, bound, good in rows
    )
    if not body:
        return ""
    return (
        "<table class='plain'><thead><tr><th></th><th>this model</th><th>bound</th><th></th></tr></thead>"
        f"<tbody>{body}</tbody></table>{_below(record, floors.get('class_recall') or 0.0)}"
    )


def _below(record: Record, floor: float) -> str:
    """The classes that are found more seldom than they have to be."""
    test = record.get("evaluations", {}).get("test")
    if not test or not floor:
        return ""
    ranked = sorted(
        (recall, name)
        for name, (_, recall, count) in zip(record["classes"], test["per_class"], strict=True)
        if count and recall < floor
    )
    if not ranked:
        return "<p class='note'>Every class reaches its floor.</p>"
    named = ", ".join(f"{name} ({recall:.1%})" for recall, name in ranked[:_NAMED])
    more = f" and {len(ranked) - _NAMED} more" if len(ranked) > _NAMED else ""
    return f"<p class='note'>Below the floor of {floor:.1%}: {escape(named)}{more}.</p>"


def _champion(verdict: dict[str, Any]) -> str:
    """Beside the champion, on the same pictures."""
    if verdict.get("champion_accuracy") is None:
        return ""
    rows = "".join(
        f"<tr><td>{name}</td><td><span class='bar' style='--share:{share * 100:.1f}%'></span>"
        f"{share:.2%}</td></tr>"
        for name, share in (
            ("this model", verdict["test_accuracy"]),
            (f"champion, version {escape(str(verdict['champion']))}", verdict["champion_accuracy"]),
        )
    )
    return (
        "<h3>Against the champion, on the same test pictures</h3><div class='pair'>"
        f"<table class='plain'><tbody>{rows}</tbody></table>"
        f"<div>{_mcnemar(verdict.get('mcnemar'))}</div></div>"
    )


def _mcnemar(test: dict[str, Any] | None) -> str:
    """The pictures on which the two differ, and what that is worth."""
    if not test:
        return (
            "<p class='note'>The champion's answers are not known one by one, so chance was not tested.</p>"
        )
    ours, theirs = test["only_candidate_right"], test["only_champion_right"]
    if not ours + theirs:
        return "<p class='note'>Both are right and wrong on the same pictures.</p>"
    drawn = stack(
        [
            ("right by this model alone", "backward", ours / (ours + theirs)),
            ("right by the champion alone", "data", theirs / (ours + theirs)),
        ]
    )
    more = "more than chance" if test["p"] < test["significance"] else "no more than chance makes"
    return (
        f"{drawn}<p class='legend'><span><i class='key backward'></i>right by this model alone: {ours}</span>"
        f"<span><i class='key data'></i>right by the champion alone: {theirs}</span></p>"
        f"<p class='note'>McNemar's exact test, two-sided: p = {test['p']:.2g}, which is {more} "
        f"(bound {test['significance']:g}).</p>"
    )


def _mark(good: bool) -> str:
    return f"<span class='mark {'good' if good else 'bad'}'>{'holds' if good else 'broken'}</span>"
