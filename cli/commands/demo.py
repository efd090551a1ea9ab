"""`classifier demo`: the main job from nothing to a classified picture, timed.

Each step is the one a user would take:
up -> data -> upload -> tune -> (then by itself: final training, registration, promotion) -> classify.
Every step can be repeated, so a second demo builds on the first.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from classifier_client import Answer, ApiError, Client, Patience
from cli import asking
from cli.commands.check import anyway_option, before_deploying
from cli.commands.demo_data import write_digits
from cli.commands.launch import JOB_COST, served
from cli.commands.options import confirm_cost, with_target, yes_option
from cli.commands.up import AWS_COST
from cli.commands.upload import bring_data, look_through
from cli.console import console, counting, say
from cli.data.folder import Dataset, Examined, dataset_name
from cli.data.layouts import must_be_folder
from cli.data.upload import check_name
from cli.deploy import preflight
from cli.deploy.bring_up import bring_up
from cli.errors import RequestFailed
from cli.files import private_folder
from cli.outputs import address_lines, save
from cli.prediction import prediction
from cli.runs import expected
from cli.runs.launch import estimate, launch, payload
from cli.runs.pipeline_run import PipelineRun
from cli.runs.screen import seconds as seconds_between
from cli.runs.watch import follow
from cli.target import Target

DIGITS = "digits"
DIGITS_RECIPE = "digits"
FOLDER_RECIPE = "finetune"


@click.command()
@with_target
@click.option(
    "--data", type=click.Path(path_type=Path), help="A picture folder (default: handwritten digits)."
)
@click.option("--recipe", help="A recipe's name (default: the data's name, else finetune).")
@yes_option
@anyway_option
def demo(target: Target, data: Path | None, recipe: str | None, yes: bool, anyway: bool) -> None:
    """The main job whole: deploy, upload, tune, train, register, promote, classify."""
    plan = prepare(target, data, recipe)
    before_deploying(target, plan.recipe, anyway)
    confirm_cost(target, f"{AWS_COST}\n{JOB_COST} {served(target)}", yes)
    carry_out(target, plan)


class Probe:
    """Asks the API about one test picture, and keeps the last answer and how long it took."""

    def __init__(self, target: Target, outputs: dict[str, Any], picture: Path, label: str) -> None:
        self._target, self._outputs = target, outputs
        self.picture, self.label = picture, label
        self.result: Answer | None = None
        self.seconds = 0.0

    def ask(self, patience: Patience | None = None) -> Answer:
        """Asks until there is an answer; raises ApiError where there is none in time."""
        begun = time.monotonic()
        self.result = None
        with asking.client(Client, self._target, self._outputs, patience=patience) as api:
            self.result = api.classify(self.picture)
        self.seconds = time.monotonic() - begun
        return self.result

    def version(self) -> str:
        """The version that answers now; empty while none does."""
        try:
            return self.ask(asking.NO_PATIENCE).model
        except ApiError:
            return ""


@dataclass(frozen=True)
class Plan:
    """What the main job works on; `recipe` is None where the bucket may have one of the dataset's name."""

    folder: Path
    name: str
    examined: Examined
    recipe: str | None


def prepare(target: Target, data: Path | None, recipe: str | None) -> Plan:
    """Checks all that can be checked before anything is started.

    Raises:
        BadDataset: the folder cannot become a dataset.
        WouldFail: settings, recipe or disk would not do.
    """
    if data is not None:
        must_be_folder(data)
    name = check_name(dataset_name(data)) if data else DIGITS
    wanted = recipe or (None if data else DIGITS_RECIPE)
    preflight.check_launch(target, wanted, name)
    folder = data or _demo_folder(target)
    examined = look_through(target, folder)
    preflight.check_room(target, examined)
    return Plan(folder, name, examined, wanted)


def carry_out(target: Target, plan: Plan) -> None:
    """Runs the main job and prints what to go on with."""
    _say(1, "Deploying")
    begun = time.monotonic()
    outputs = bring_up(target, lambda: preflight.check_launch(target, plan.recipe, plan.name))
    timings: dict[str, float | None] = {
        "install": _install_seconds(target),
        "deploy": time.monotonic() - begun,
    }

    _say(2, "Uploading the pictures")
    name, dataset = bring_data(target, plan.folder, plan.name, plan.examined)
    chosen = plan.recipe or _recipe_for(target, outputs, name)
    probe = Probe(target, outputs, *_test_picture(dataset))

    _say(3, f"Tuning with the recipe {chosen}, training, registering and promoting the best")
    request = payload(chosen, name, ())
    likely = expected.before(target, request, expected.TUNING, estimate(target, "launch-tuning", request))
    if likely:
        say(f"Expected: {likely.in_words(target)}.")
    launched = launch(target, "launch-tuning", request)
    run = follow(target, launched.run, probe.version, likely=likely)
    timings |= _run_seconds(run)
    save(target, {"seconds": _rounded(timings), **_run_names(run)})
    _say_outcome(run)
    if run.package is not None and run.package.has_other_classes:
        return  # the model that answers knows nothing of these pictures

    _say(4, "Classifying a test picture through the API")
    try:
        result = probe.result if run.answering and probe.result else probe.ask()
    except ApiError as error:
        if run.outcome == "serving":
            raise RequestFailed(asking.in_words(error, target)) from None
        say(f"No model answers yet: {error}", style="yellow")
        return
    timings["first_prediction"] = probe.seconds
    picture = {"picture": str(probe.picture), "expected_class": probe.label}
    saved = save(target, {"prediction": {**picture, **result.raw}, "seconds": _rounded(timings)})
    console().print(prediction(probe.picture, result))
    say("\n".join(["", *_summary(saved, result, dataset, run)]))


def _summary(saved: dict[str, Any], result: Answer, dataset: Dataset, run: PipelineRun) -> list[str]:
    expected = saved["prediction"]["expected_class"]
    lines = [f"predicted class  {result.predicted_class} ({result.confidence:.1%}), really {expected}"]
    if run.test_accuracy is not None:
        lines.append(
            f"test accuracy    {run.test_accuracy:.4f} on {dataset.count('test')} pictures never trained on"
        )
    durations = ", ".join(f"{step} {took:.1f}" for step, took in saved["seconds"].items() if took is not None)
    return [*lines, *address_lines(saved)[:3], f"seconds          {durations}"]


def _recipe_for(target: Target, outputs: dict[str, Any], dataset: str) -> str:
    """The recipe for a folder of one's own: that of the dataset's name if there is one, else `finetune`."""
    if preflight.has_recipe(target, outputs["artifacts_bucket"], dataset):
        return dataset
    say(f"No recipe is called {dataset}: taking {FOLDER_RECIPE}, which downloads ImageNet weights.")
    return FOLDER_RECIPE


def _say(number: int, what: str) -> None:
    say(f"\n{number}/4 {what}", style="bold")


def _say_outcome(run: PipelineRun) -> None:
    if run.outcome == "refused":
        say(f"The quality gate kept the serving model: {run.reason}", style="yellow")
    elif run.baking:
        say("The old model is kept for the update's bake time, to roll back to if an alarm rings.")
    elif run.outcome != "serving":
        say(f"{run.outcome}: {run.reason}", style="yellow")


def _demo_folder(target: Target) -> Path:
    folder = private_folder(target.home) / "data" / DIGITS
    with counting("Writing digits") as count:
        write_digits(folder, count.to)
    return folder


def _test_picture(dataset: Dataset) -> tuple[Path, str]:
    """A test picture's file and class."""
    found = next(picture for picture in dataset.pictures if picture.split == "test")
    return Path(dataset.paths[found.content]), found.label


def _install_seconds(target: Target) -> float | None:
    """What the installer took: from the environment, else from the mark it left; None if neither is there."""
    try:
        text = os.environ.get("CLASSIFIER_INSTALL_SECONDS") or (target.root / ".venv" / "ready").read_text()
        return float(text)
    except (OSError, ValueError):
        return None


def _run_seconds(run: PipelineRun) -> dict[str, float | None]:
    tuning, training, package = run.tuning, run.training, run.package
    promoted = run.read_at if run.outcome == "serving" else None
    return {
        "tune": seconds_between(tuning.created, tuning.ended) if tuning else None,
        "train": seconds_between(training.created, training.ended) if training else None,
        "promote": seconds_between(package.created, promoted) if package else None,
    }


def _run_names(run: PipelineRun) -> dict[str, Any]:
    return {
        "tuning_job": run.name,
        "training_job": run.training.name if run.training else None,
        "model_package": run.package.arn if run.package else None,
    }


def _rounded(timings: dict[str, float | None]) -> dict[str, float | None]:
    return {step: None if took is None else round(took, 1) for step, took in timings.items()}
