"""The quality gate's verdict on a model, with the numbers it rests on.

The gate judges after the job has ended and leaves verdict.json, so only a page that is drawn later shows it.
Figures that an older verdict does not have are left out.
"""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from contract.candidates import VERDICT_KEY
from contract.decisions import Outcome
from contract.words import listed
from reports import Record
from reports.shared.charts import stack
from reports.shared.figures import sentence
from reports.shared.markup import NOTHING, draw

_APPROVALS: Final = {
    "Approved": "approved: it goes into service",
    "PendingManualApproval": "waiting for somebody to approve it",
    "Rejected": "rejected",
}
_OTHER_CLASSES: Final = "waiting for somebody to approve it, as callers would get other classes than now"
_NAMED: Final = 8


def gate(record: Record) -> Markup:
    """The section; empty when the gate has not judged."""
    verdict = record.get("verdict")
    if not verdict or "passed" not in verdict:
        return NOTHING
    return draw(
        "ended/gate.gate",
        verdict["passed"],
        sentence(str(verdict.get("reason", ""))),
        approval(verdict),
        _bounds(verdict),
        _below(record, (verdict.get("floors") or {}).get("class_recall") or 0.0),
        _champion(verdict),
        _shadow(verdict.get(VERDICT_KEY)),
    )


def approval(verdict: dict[str, Any]) -> str:
    """What follows for the model; nothing where the verdict does not say."""
    status = str(verdict.get("approval"))
    if status == "PendingManualApproval" and verdict.get("outcome") == Outcome.OTHER_CLASSES:
        return _OTHER_CLASSES
    return _APPROVALS.get(status, "")


def _bounds(verdict: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """What was measured, against the floors and ceilings that are set."""
    floors, ceilings = verdict.get("floors") or {}, verdict.get("ceilings") or {}
    rows = []
    accuracy, guessing = verdict.get("test_accuracy"), verdict.get("guessing_accuracy") or 0.0
    if accuracy is not None:
        floor = floors.get("accuracy") or 0.0
        bound = f"at least {floor:.1%}, " if floor else ""
        bound += f"above {guessing:.1%} (always one class)" if guessing else ""
        test = verdict.get("guessing") or {}
        bound += " beyond chance" if test else ""
        above = accuracy > guessing and (not test or test["p"] < test["significance"])
        measured = f"{accuracy:.1%} of {verdict['test_pictures']}" if "test_pictures" in verdict else ""
        rows.append(("Test pictures right", measured, bound, accuracy >= floor and above))
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
            spread = _spread(verdict.get(f"{key}_spread"))
            measured = "not measured" if value is None else f"{value:.3g} {unit}{spread}"
            good = not ceiling or (value is not None and value <= ceiling)
            rows.append((what, measured, f"at most {ceiling:g} {unit}" if ceiling else "", good))
    return rows


def _spread(within: list[float] | None) -> str:
    """Between which eight in ten pictures lay, of a mean that has them."""
    return f" on average, eight in ten pictures {within[0]:.3g} to {within[1]:.3g}" if within else ""


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
        return "Every class reaches its floor."
    named = listed([f"{name} ({recall:.1%})" for recall, name in ranked], _NAMED)
    return f"Below the floor of {floor:.1%}: {named}."


def _champion(verdict: dict[str, Any]) -> Markup:
    """Beside the champion, on the same pictures."""
    if verdict.get("champion_accuracy") is None:
        return NOTHING
    shares = [
        ("this model", verdict["test_accuracy"]),
        (f"champion, version {verdict['champion']}", verdict["champion_accuracy"]),
    ]
    return draw("ended/gate.champion", shares, _mcnemar(verdict.get("mcnemar")))


def _shadow(found: dict[str, Any] | None) -> Markup:
    """Beside the champion, on a copy of the traffic; nothing where the two were not compared so."""
    if not found:
        return NOTHING
    both = (found["candidate_traffic"], found["champion_traffic"])
    rows = [
        ("Requests", *(str(each["requests"]) for each in both)),
        ("Errors", *(str(each["errors"]) for each in both)),
        ("A picture took", *(f"{each['latency_ms']:.1f} ms on average" for each in both)),
    ]
    agreed = f"{found['agreed']} of {found['compared']} requests were answered with the same class."
    against = [sentence(str(each)) for each in found["against"]]
    return draw("ended/gate.shadow", found["trusted"], found["champion"], rows, agreed, against)


def _mcnemar(test: dict[str, Any] | None) -> Markup:
    """The pictures on which the two differ, and what that is worth."""
    if not test:
        why = "The champion's answers are not known one by one, so chance was not tested."
        return draw("ended/gate.note", why)
    ours, theirs = test["only_candidate_right"], test["only_champion_right"]
    if not ours + theirs:
        return draw("ended/gate.note", "Both are right and wrong on the same pictures.")
    parts = [
        ("right by this model alone", "backward", ours / (ours + theirs)),
        ("right by the champion alone", "data", theirs / (ours + theirs)),
    ]
    more = "more than chance" if test["p"] < test["significance"] else "no more than chance makes"
    return draw("ended/gate.mcnemar", stack(parts), ours, theirs, test["p"], more, test["significance"])
