"""A training's page.

First the verdict in words, then the curves it rests on, what the rules found, where the time went, where the
network errs, and everything needed to repeat it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from markupsafe import Markup

from reports import Record
from reports.shared.charts import Line, curves
from reports.shared.figures import cost, duration, interval, speed, value_text
from reports.shared.markup import NOTHING, draw
from reports.shared.page import document
from reports.training import confidence, errors, insight, labels, leaks

_ROWS: Final = 200


def render(record: Record, gate: Markup = NOTHING, *rooms: str) -> str:
    """The report of one training as HTML.

    Only a page that is drawn after the job has the quality gate's section, which needs the style of `rooms`.
    """
    title = f"{record.get('dataset') or 'Image'} classifier: {record.get('arch', 'unfinished')}"
    sections = [
        draw("shared/page.header", "Training report", title, verdict(record)),
        summary(record),
        gate,
        insight.findings(record),
        learning(record),
        insight.breakdown(record),
        insight.utilisation(record),
        insight.rules(record),
        insight.flow(record),
        errors.confusions(record),
        errors.per_class(record),
        confidence.section(record),
        labels.section(record),
        data(record),
        table("Starting weights", record.get("weights", {}).items()),
        table("Hyperparameters", record.get("hyperparameters", {}).items()),
        table(
            "Made with",
            [
                ("training job", record.get("job", "")),
                *_data_set(record),
                ("machine", record.get("machine", "")),
                ("code", record.get("code_version", "")[:16]),
                ("serving form", _serving(record)),
                *record.get("versions", {}).items(),
            ],
        ),
    ]
    return document(title, sections, "training", *rooms)


def verdict(record: Record) -> str:
    """A few sentences: how good, against what, and what to mind."""
    if record.get("failure"):
        return str(record["failure"])
    sentences = []
    history, best = record["history"], record["best_epoch"]
    if record.get("stopped_by"):
        sentences.append(
            f"The rule {record['stopped_by']} ended this training in epoch {len(history) + 1} of "
            f"{record['epochs']}; it keeps the best epoch before."
        )
    test = record["evaluations"].get("test")
    if test is None:
        return " ".join(sentences) + (
            f"Stopped after {len(history)} of {record['epochs']} epochs. This is the model of "
            f"epoch {best}, the best so far: {history[best - 1]['valid_accuracy']:.1%} of the validation "
            "pictures right. It was not tested."
        )
    low, high = interval(test["accuracy"], test["count"])
    guess = max(count for _, _, count in test["per_class"]) / test["count"]
    sentences.append(
        f"{test['accuracy']:.1%} of {test['count']} test pictures are classified right (95% interval "
        f"{low:.1%} to {high:.1%}); always answering the most frequent of the {len(record['classes'])} "
        f"classes would reach {guess:.1%}."
    )
    if low <= guess:
        sentences.append("That is not clearly better than guessing: do not use this model.")
    if best == record["epochs"] and record["schedule"] == "constant":
        sentences.append("The last epoch was the best one, so more epochs may help.")
    best_epoch = history[best - 1]
    gap = best_epoch["valid_loss"] - best_epoch["train_loss"]
    if gap > 0.5 * best_epoch["valid_loss"] and gap > 0.1:
        sentences.append(
            "It knows its training pictures much better than new ones: more or more varied data may help."
        )
    sentences.extend(leaks.sentences(record))
    sentences.extend(labels.sentences(record))
    sentences.extend(confidence.sentences(record))
    if "findings" in record:
        sentences.append(_watched(record))
    gated = record.get("verdict") or {}
    if "passed" in gated:
        sentences.append(f"The quality gate {'let it pass' if gated['passed'] else 'did not let it pass'}.")
    return " ".join(sentences)


def _watched(record: Record) -> str:
    found, looked = len(record["findings"]), sum(1 for each in record["rules"] if each["evaluated"])
    if not found:
        return f"None of the {looked} rules that watched it found anything."
    return f"Of the {looked} rules that watched it, {found} found something to mend."


def summary(record: Record) -> Markup:
    """The figures a reader looks for first."""
    if not record.get("history"):
        return NOTHING
    best = record["history"][record["best_epoch"] - 1]
    figures = [
        ("Validation accuracy", f"{best['valid_accuracy']:.1%}", f"best epoch, {record['best_epoch']}")
    ]
    test = record["evaluations"].get("test")
    if test:
        wrong = sum(count for truth, answer, count in test["confusion"] if truth != answer)
        figures.insert(0, ("Test accuracy", f"{test['accuracy']:.1%}", f"{wrong} of {test['count']} wrong"))
        figures.append(("Test loss", f"{test['loss']:.3f}", "cross entropy"))
    figures.append(("Time", duration(record["seconds"]), speed(record.get("speed"))))
    usd = cost(record)
    if usd is not None:
        figures.append(("Cost", usd, _cost_note(record)))
    return draw("shared/page.tiles", figures)


def _cost_note(record: Record) -> str:
    billed = record.get("billed")
    if billed:
        return (
            f"on AWS: {billed['seconds']:.0f} s billed at {billed['hourly_usd']:.4g} USD an hour, with disks"
        )
    return (
        f"on AWS, for the training code's time alone, at {record['hourly_usd']:.4g} USD an hour; what is "
        "billed shows classifier report"
    )


def learning(record: Record) -> Markup:
    """The learning curves."""
    history = record.get("history")
    if not history:
        return NOTHING
    best = record["best_epoch"]
    loss = [
        Line("training", "train", [epoch["train_loss"] for epoch in history]),
        Line("validation", "valid", [epoch["valid_loss"] for epoch in history]),
    ]
    accuracy = [Line("validation", "valid", [epoch["valid_accuracy"] for epoch in history])]
    return draw(
        "training/page.learning",
        curves("Loss", loss, best),
        curves("Accuracy", accuracy, best, percent=True),
        best,
    )


def data(record: Record) -> Markup:
    """Counts and fingerprints of the splits, what was skipped, and what is in two of them."""
    if not record.get("data"):
        return NOTHING
    return draw("training/page.data", record["data"].items(), record["skipped"][:_ROWS], leaks.named(record))


def table(title: str, rows: Iterable[tuple[str, Any]]) -> Markup:
    """Names and values; those without a value are left out."""
    filled = [(name, value_text(value)) for name, value in rows if value != ""]
    return draw("training/page.table", title, filled) if filled else NOTHING


def _data_set(record: Record) -> list[tuple[str, str]]:
    """None for a job of one's own: only launchers know the version."""
    version = record.get("dataset_version")
    return [("data set version", f"{record.get('dataset', '')}@{version}")] if version else []


def _serving(record: Record) -> str:
    serving = record.get("serving") or {}
    return ", ".join(str(serving[key]) for key in ("file", "form", "precision", "reason") if serving.get(key))
