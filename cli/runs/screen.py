"""How a run looks: one screen for a terminal, lines on change for a pipe. Pure functions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cli.answers import Listing
from cli.console import DONE, FAILED, HELD, NEXT, NOW
from cli.runs import next_steps
from cli.runs.jobs import log_of
from cli.runs.pipeline_run import PipelineRun
from cli.runs.state import Race, Training, Trial, Tuning
from contract.retraining import in_words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

MAX_TRIALS = 12
MAX_EPOCHS = 8
_COLOURS = {
    "Completed": "green",
    "InProgress": "cyan",
    "Failed": "red",
    "Stopped": "yellow",
    "Approved": "green",
    "Rejected": "yellow",
    "PendingManualApproval": "yellow",
    "InService": "green",
}


def steps(run: PipelineRun) -> list[tuple[str, str]]:
    """Each step of the way with its state: `done`, `now`, `next`, `held` (nothing failed) or `failed`."""
    training, package = run.training, run.package
    done = [training is not None and training.status == "Completed", package is not None]
    promoted = (run.serving.actual, run.serving.champion.asleep)
    done += [package is not None and package.arn in promoted, run.outcome == "serving"]
    names = ["training", "package", "promotion", "endpoint"]
    if run.tuning is not None:
        names.insert(0, "tuning")
        done.insert(0, run.tuning.status == "Completed")
    elif run.race is not None:
        names.insert(0, "tuning")
        done.insert(0, False)
    if run.race is not None:
        names.insert(0, "race")
        done.insert(0, run.race.status == "Completed")
    states = ["done" if flag else "next" for flag in done]
    if "next" in states:
        now = {"running": "now", "shadowing": "now", "failed": "failed"}
        states[states.index("next")] = now.get(run.outcome, "held")
    return list(zip(names, states, strict=True))


def screen(run: PipelineRun, left: str = "") -> RenderableType:
    """The whole run on one screen; `left` is how long it will take, in words."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_headline(run), *((Text(left, style="cyan"),) if left else ())]
    if run.race is not None:
        parts += [Text(), _race(run.race)]
    if run.tuning is not None:
        parts += [Text(), _tuning(run.tuning)]
    if run.training is not None:
        parts += [Text(), _training(run.training)]
    if run.package is not None:
        accuracy = run.test_accuracy
        noted = f"  test accuracy {accuracy:.4f}" if accuracy is not None else ""
        line = _line("Package", f"version {run.package.version}", run.package.approval, noted)
        serving = run.serving
        endpoint = _line("Endpoint", run.project, _endpoint(run), "")
        stack = _line("Promotion", f"stack {run.project}-serving", serving.stack_status or "not there", "")
        parts += [Text(), line, stack, endpoint]
    if run.reason and run.outcome != "failed":  # why it failed is the command's error
        parts += [Text(), Text(f"{run.outcome}: {run.reason}", style="yellow")]
    parts += map(Text, next_steps.of(run))
    return Group(*parts)


def as_data(run: PipelineRun) -> dict[str, Any]:
    """The run for programs."""
    data = {key: value for key, value in asdict(run).items() if key not in ("clue", "mark")}
    if run.package is not None:
        data["package"]["version"] = run.package.version
    judged = {"outcome": run.outcome, "reason": run.reason, "dataset": run.data, "steps": dict(steps(run))}
    return {**data, **judged, "test_accuracy": run.test_accuracy}


def lines(before: PipelineRun | None, now: PipelineRun) -> list[str]:
    """What changed from one look to the next, as plain lines."""
    printed = set(_facts(before)) if before is not None else set()
    return [fact for fact in _facts(now) if fact not in printed]


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """The seconds between two times of the run, or None when one is not there."""
    return round((end - start).total_seconds(), 1) if start and end else None


def _facts(run: PipelineRun) -> list[str]:
    facts = [f"data set {run.data}"] if run.data else []
    facts += [f"scheduled: {in_words(run.scheduled)}"] if run.scheduled else []
    facts += _facts_of_race(run.race) if run.race else []
    if tuning := run.tuning:
        ended = "" if tuning.status == "InProgress" else f", {tuning.counted}"
        facts.append(f"tuning {tuning.name}: {tuning.status}{ended}")
        for trial in tuning.trials:
            score = "" if trial.objective is None else f" {tuning.objective}={trial.objective:.4f}"
            why = f": {_why(trial)}" if trial.failed else ""
            facts.append(f"  trial {trial.name}: {trial.status}{score} ({_values(trial)}){why}")
        if tuning.status == "Completed" and tuning.best:
            facts.append(f"best: {tuning.best.name} ({_values(tuning.best)})")
    if training := run.training:
        facts.append(f"training {training.name}: InProgress")
        for epoch in training.epochs:
            numbers = " ".join(f"{name}={value:.4f}" for name, value in epoch.items() if name != "epoch")
            facts.append(f"  epoch {epoch['epoch']:.0f}: {numbers}")
        if training.status != "InProgress":
            facts.append(f"training {training.name}: {training.status}")
    if package := run.package:
        facts.append(f"package version {package.version}: {package.approval}")
        facts.append(f"promotion {run.project}-serving: {run.serving.stack_status}")
        facts.append(f"endpoint {run.project}: {_endpoint(run)}")
    if run.ended and run.outcome != "failed":
        facts.append(f"{run.outcome}{': ' if run.reason else ''}{run.reason}")
        facts += next_steps.of(run)
    return facts


def _facts_of_race(race: Race) -> list[str]:
    ended = [] if race.status == "InProgress" else [f"race {race.name}: {race.status}"]
    return [f"race {race.name}: InProgress", *(f"  {each}" for each in race.judged), *ended]


def _endpoint(run: PipelineRun) -> str:
    missing = {"running": "not there yet", "asleep": "asleep"}
    return run.serving.endpoint_status or missing.get(run.outcome, "not there")


def _values(trial: Trial) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in sorted(trial.hyperparameters.items()))


def _why(trial: Trial) -> str:
    return f"{trial.reason or 'no reason was given'} ({log_of(trial.name)})"


def _short(value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value
    return value if value.lstrip("-").isdigit() else f"{number:.4g}"


def _headline(run: PipelineRun) -> RenderableType:
    from rich.text import Text

    marks = {"done": DONE, "now": NOW, "next": NEXT, "held": HELD, "failed": FAILED}
    text = Text(run.name, style="bold")
    if run.data:
        text.append(f"  {run.data}", style="not bold")
    if run.scheduled:
        text.append(f"  scheduled: {in_words(run.scheduled)}", style="not bold")
    text.append("\n")
    for number, (name, state) in enumerate(steps(run)):
        mark, style = marks[state]
        text.append(f"{'  ' if number else ''}{mark} {name}", style=f"not bold {style}")
    return text


def _line(title: str, what: str, status: str, rest: str) -> RenderableType:
    from rich.text import Text

    text = Text(f"{title:<15}", style="bold")
    text.append(f"{what}  ", style="not bold")
    text.append(status, style=f"not bold {_COLOURS.get(status, 'default')}")
    text.append(rest, style="not bold")
    return text


def _tuning(tuning: Tuning) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    took = seconds(tuning.created, tuning.ended)
    rest = f"  {tuning.counted}" + (f", {took:.0f} s" if took is not None else "")
    names = sorted({name for trial in tuning.trials for name in trial.hyperparameters})
    objective = f"{tuning.objective} {'↓' if tuning.direction == 'Minimize' else '↑'}"
    listed = _worth_showing(tuning)
    rows = [_row(tuning, trial, names) for trial in listed]
    styles = ["bold" if trial == tuning.best else "" for trial in listed]
    table = Listing(("  trial", *names, objective, "status"), rows, (*names, objective), styles)
    parts: list[RenderableType] = [_line("Tuning", "", tuning.status, rest)]
    if tuning.trials:
        parts.append(table)
    if len(listed) < len(tuning.trials):
        parts.append(Text(f"  ... and {len(tuning.trials) - len(listed)} more", style="dim"))
    parts += [Text(f"  {trial.name} failed: {_why(trial)}", style="red") for trial in listed if trial.failed]
    return Group(*parts)


def _row(tuning: Tuning, trial: Trial, names: list[str]) -> tuple[str | Text, ...]:
    from rich.text import Text

    mark = "★" if trial == tuning.best else " "
    values = (_short(trial.hyperparameters.get(name, "")) for name in names)
    score = "" if trial.objective is None else f"{trial.objective:.4f}"
    status = Text(trial.status, style=_COLOURS.get(trial.status, ""))
    return f"{mark} {trial.name.removeprefix(tuning.name + '-')}", *values, score, status


def _worth_showing(tuning: Tuning) -> list[Trial]:
    """All trials if they fit, else the best, those running, those that failed and the newest."""
    chosen = [trial for trial in tuning.trials if trial == tuning.best or trial.status == "InProgress"]
    chosen += [trial for trial in tuning.trials if trial.failed]
    for trial in reversed(tuning.trials):
        if len(chosen) >= MAX_TRIALS:
            break
        if trial not in chosen:
            chosen.append(trial)
    return sorted(chosen[:MAX_TRIALS], key=lambda trial: trial.name)


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if name == "epoch" else f"{value:.4f}"


def _race(race: Race) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    took = seconds(race.created, race.ended)
    stage = f"  {race.stage}" if race.status == "InProgress" else ""
    rest = f"{stage}  {took:.0f} s" if took is not None else stage
    return Group(_line("Race", race.name, race.status, rest), *(Text(f"  {each}") for each in race.judged))


def _training(training: Training) -> RenderableType:
    from rich.console import Group
    from rich.table import Table

    took = seconds(training.created, training.ended)
    stage = f"  {training.stage}" if training.status == "InProgress" else ""
    rest = f"{stage}  {took:.0f} s" if took is not None else stage
    head = _line("Training", training.name, training.status, rest)
    rows = training.epochs or (() if not training.metrics else (training.metrics,))
    if not rows:
        return head
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        table.add_column(f"  {name}" if name == names[0] else name, justify="right", overflow="fold")
    for row in rows[-MAX_EPOCHS:]:
        table.add_row(*(_cell(name, row.get(name)) for name in names))
    return Group(head, table)
