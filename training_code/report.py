"""report.html: what a reader wants to know of a training, on one page that needs nothing but a browser.

First the verdict in words, then the curves it rests on, then where the network errs, then everything needed
to repeat it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from training_code.charts import Line, curves, matrix
from training_code.evaluation import Evaluation

if TYPE_CHECKING:
    from training_code.artifact import Facts

_MATRIX_CLASSES: Final = 40
_ROWS: Final = 200
_PAIRS: Final = 10


def render(facts: Facts) -> str:
    """The page, as one string of HTML."""
    title = f"{facts.config.dataset or 'Image'} classifier: {facts.config.arch}"
    test = facts.evaluations.get("test")
    sections = [
        f"<header><p class='eyebrow'>Training report</p><h1>{escape(title)}</h1>"
        f"<p class='verdict'>{escape(verdict(facts))}</p></header>",
        _tiles(facts, test),
        _curves(facts),
        _errors(facts, test) if test else "",
        _per_class(facts, test) if test else "",
        _data(facts),
        _table("Hyperparameters", dataclasses.asdict(facts.config).items()),
        _table(
            "Made with",
            [
                ("training job", facts.job),
                ("machine", str(facts.machine)),
                ("code", facts.code_version[:16]),
                *facts.versions.items(),
            ],
        ),
    ]
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def verdict(facts: Facts) -> str:
    """Two or three sentences: how good, against what, and what to mind."""
    classes = facts.dataset.classes
    test = facts.evaluations.get("test")
    if test is None:
        return (
            f"Stopped after {len(facts.history)} of {facts.config.epochs} epochs. This is the model of "
            f"epoch {facts.best.epoch}, the best so far: {facts.best.valid_accuracy:.1%} of the validation "
            f"pictures right. It was not tested."
        )
    low, high = interval(test.accuracy, len(test.labels))
    guess = max(count for _, _, count in test.per_class()) / len(test.labels)
    sentences = [
        f"{test.accuracy:.1%} of {len(test.labels)} test pictures are classified right (95% interval "
        f"{low:.1%} to {high:.1%}); always answering the most frequent of the {len(classes)} classes would "
        f"reach {guess:.1%}.",
    ]
    if low <= guess:
        sentences.append("That is not clearly better than guessing: do not use this model.")
    if facts.best.epoch == facts.config.epochs and facts.config.schedule == "constant":
        sentences.append("The last epoch was the best one, so more epochs may help.")
    gap = facts.best.valid_loss - facts.best.train_loss
    if gap > 0.5 * facts.best.valid_loss and gap > 0.1:
        sentences.append(
            "It knows its training pictures much better than new ones: more or more varied data may help."
        )
    if facts.dataset.leaked:
        sentences.append(
            f"Mind: {facts.dataset.leaked} test pictures are also training pictures, which flatters it."
        )
    return " ".join(sentences)


def interval(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share seen in `count` trials (Wilson 1927)."""
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return (middle - spread) / scale, (middle + spread) / scale


def _tiles(facts: Facts, test: Evaluation | None) -> str:
    tiles = [("Validation accuracy", f"{facts.best.valid_accuracy:.1%}", f"best epoch, {facts.best.epoch}")]
    if test:
        wrong = int((test.labels != test.predicted).sum())
        tiles.insert(0, ("Test accuracy", f"{test.accuracy:.1%}", f"{wrong} of {len(test.labels)} wrong"))
        tiles.append(("Test loss", f"{test.loss:.3f}", "cross entropy"))
    speed = max(epoch.images_per_second for epoch in facts.history)
    tiles.append(("Time", _duration(facts.seconds), f"{speed:.0f} images/s"))
    return (
        "<section class='tiles'>"
        + "".join(
            f"<div><span>{escape(name)}</span><strong>{escape(value)}</strong><small>{escape(note)}</small></div>"
            for name, value, note in tiles
        )
        + "</section>"
    )


def _curves(facts: Facts) -> str:
    history, best = facts.history, facts.best.epoch
    loss = [
        Line("training", "train", [epoch.train_loss for epoch in history]),
        Line("validation", "valid", [epoch.valid_loss for epoch in history]),
    ]
    accuracy = [Line("validation", "valid", [epoch.valid_accuracy for epoch in history])]
    return (
        "<section><h2>Learning curves</h2><div class='pair'>"
        f"<figure><figcaption>Loss by epoch</figcaption>{curves('Loss', loss, best)}</figure>"
        "<figure><figcaption>Accuracy by epoch</figcaption>"
        f"{curves('Accuracy', accuracy, best, percent=True)}</figure></div>"
        f"<p class='note'>The dashed line marks epoch {best}, whose weights this model has.</p></section>"
    )


def _errors(facts: Facts, test: Evaluation) -> str:
    classes = facts.dataset.classes
    parts = ["<section><h2>Where it errs</h2>"]
    if len(classes) <= _MATRIX_CLASSES:
        parts.append(
            f"<p class='note'>Test pictures; a row is the true class, a column what it was taken for.</p>"
            f"<div class='scroll'>{matrix(classes, test.confusion())}</div>"
        )
    pairs = test.confused(_PAIRS)
    if pairs:
        rows = "".join(
            f"<tr><td>{escape(classes[truth])}</td><td>{escape(classes[said])}</td>"
            f"<td class='number'>{count}</td></tr>"
            for truth, said, count in pairs
        )
        parts.append(
            "<h3>Most frequent confusions</h3><table class='plain'><thead><tr><th>is</th><th>taken for</th>"
            f"<th class='number'>pictures</th></tr></thead><tbody>{rows}</tbody></table>"
        )
    else:
        parts.append("<p>Not one test picture is classified wrong.</p>")
    return "".join([*parts, "</section>"])


def _per_class(facts: Facts, test: Evaluation) -> str:
    ranked = sorted(zip(facts.dataset.classes, test.per_class(), strict=True), key=lambda each: each[1][1])
    rows = "".join(
        f"<tr><td>{escape(name)}</td>{_bar(recall)}{_bar(precision)}<td class='number'>{count}</td></tr>"
        for name, (precision, recall, count) in ranked[:_ROWS]
    )
    more = f"<p class='note'>The {_ROWS} lowest of {len(ranked)}.</p>" if len(ranked) > _ROWS else ""
    return (
        "<section><h2>By class</h2><p class='note'>Recall: how many of its pictures are found. Precision: "
        "how many of those taken for it are. Lowest recall first.</p>"
        "<table class='plain'><thead><tr><th>class</th>"
        "<th>recall</th><th>precision</th><th class='number'>test pictures</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{more}</section>"
    )


def _bar(share: float) -> str:
    return f"<td><span class='bar' style='--share:{share * 100:.1f}%'></span>{share:.1%}</td>"


def _data(facts: Facts) -> str:
    rows = "".join(
        f"<tr><td>{split.name}</td><td class='number'>{len(split)}</td>"
        f"<td class='number'>{len(split.skipped)}</td>"
        f"<td><code>{split.fingerprint[:16]}</code></td></tr>"
        for split in facts.dataset.splits
    )
    skipped = [each for split in facts.dataset.splits for each in split.skipped]
    listed = "".join(
        f"<li><code>{escape(each.file)}</code>: {escape(each.reason)}</li>" for each in skipped[:_ROWS]
    )
    why = f"<details><summary>Skipped pictures</summary><ul>{listed}</ul></details>" if skipped else ""
    return (
        "<section><h2>Data</h2><table class='plain'><thead><tr><th>split</th><th class='number'>pictures</th>"
        "<th class='number'>skipped</th><th>fingerprint</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{why}</section>"
    )


def _table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>"
        for name, value in rows
        if value != ""
    )
    return f"<section><h2>{escape(title)}</h2><dl>{cells}</dl></section>"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
