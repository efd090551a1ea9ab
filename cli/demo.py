"""The main job from nothing to a classified picture, each step the one a user would take, timed.

up -> data -> upload -> tune -> (the chain by itself: final training, registration, promotion) -> classify.
Every step can be repeated, so a second demo builds on the first.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import api, preflight, render
from cli.bring_data import bring_data, look_through
from cli.bring_up import bring_up
from cli.chain import Chain
from cli.console import console, say
from cli.dataset import Dataset, Examined, Picture, dataset_name, must_be_folder
from cli.demo_data import write_digits
from cli.errors import RequestFailed
from cli.files import private_folder
from cli.follow import follow
from cli.launch import launch, payload
from cli.outputs import save
from cli.progress import counting
from cli.render_chain import seconds as seconds_between
from cli.target import Target
from cli.upload import check_name
from contract import storage

DIGITS = "digits"
DIGITS_RECIPE = "digits"
FOLDER_RECIPE = "finetune"


class Asking:
    """Asks the API about one test picture, and keeps the last answer and how long it took."""

    def __init__(self, target: Target, outputs: dict[str, Any], picture: Picture) -> None:
        self._target = target
        self._outputs = outputs
        self.picture = picture
        self.result: api.Prediction | None = None
        self.seconds = 0.0

    def ask(self) -> api.Prediction:
        """One request; raises RequestFailed as `api.classify` does."""
        begun = time.monotonic()
        self.result = None
        self.result = api.classify(self._target, self._outputs, self.picture.path)
        self.seconds = time.monotonic() - begun
        return self.result

    def version(self) -> str:
        """The version that answers now; empty while none does."""
        try:
            return str(self.ask().answer.get("model", {}).get("version", ""))
        except RequestFailed:
            return ""


@dataclass(frozen=True)
class Plan:
    """What the main job works on; `recipe` is None where the bucket has to say whether there is one of the
    dataset's name.
    """

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
    examined = look_through(folder)
    preflight.check_room(target, examined)
    return Plan(folder, name, examined, wanted)


def demo(target: Target, plan: Plan) -> None:
    """Runs the main job and prints what to go on with; see `classifier demo --help`."""
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
    asking = Asking(target, outputs, _test_picture(dataset))

    _say(3, f"Tuning with the recipe {chosen}, training, registering and promoting the best")
    launched = launch(target, "launch-tuning", payload(chosen, name, ()))
    chain = follow(target, launched.run, asking.version)
    timings |= _chain_seconds(chain)
    save(target, {"seconds": _rounded(timings), **_chain_names(chain)})
    _say_outcome(chain)

    _say(4, "Classifying a test picture through the API")
    try:
        result = asking.result if chain.answering and asking.result else asking.ask()
    except RequestFailed as error:
        if chain.outcome == "serving":
            raise
        say(f"No model answers yet: {error}", style="yellow")
        return
    timings["first_prediction"] = asking.seconds
    picture = {"picture": str(asking.picture.path), "expected_class": asking.picture.label}
    known = save(target, {"prediction": {**picture, **result.answer}, "seconds": _rounded(timings)})
    console().print(render.prediction(result))
    say("\n".join(["", *_summary(known, result, dataset, chain)]))


def _summary(known: dict[str, Any], result: api.Prediction, dataset: Dataset, chain: Chain) -> list[str]:
    expected = known["prediction"]["expected_class"]
    lines = [f"predicted class  {result.predicted_class} ({result.confidence:.1%}), really {expected}"]
    if chain.test_accuracy is not None:
        lines.append(
            f"test accuracy    {chain.test_accuracy:.4f} on {dataset.count('test')} pictures never trained on"
        )
    taken = ", ".join(f"{step} {took:.1f}" for step, took in known["seconds"].items() if took is not None)
    return [*lines, *render.address_lines(known)[:3], f"seconds          {taken}"]


def _recipe_for(target: Target, outputs: dict[str, Any], dataset: str) -> str:
    """The recipe for a folder of one's own: that of the dataset's name if there is one, else `finetune`."""
    from botocore.exceptions import ClientError

    try:
        target.client("s3").head_object(Bucket=outputs["artifacts_bucket"], Key=storage.recipe(dataset))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        say(f"No recipe is called {dataset}: taking {FOLDER_RECIPE}, which downloads ImageNet weights.")
        return FOLDER_RECIPE
    return dataset


def _say(number: int, what: str) -> None:
    say(f"\n{number}/4 {what}", style="bold")


def _say_outcome(chain: Chain) -> None:
    if chain.outcome == "refused":
        say(f"The quality gate kept the serving model: {chain.reason}", style="yellow")
    elif chain.baking:
        say("The old model is kept for the update's bake time, to roll back to if an alarm rings.")
    elif chain.outcome != "serving":
        say(f"{chain.outcome}: {chain.reason}", style="yellow")


def _demo_folder(target: Target) -> Path:
    folder = private_folder(target.home) / "data" / DIGITS
    with counting("Writing digits") as count:
        write_digits(folder, count.to)
    return folder


def _test_picture(dataset: Dataset) -> Picture:
    return next(picture for picture in dataset.pictures if picture.split == "test")


def _install_seconds(target: Target) -> float | None:
    """What the installer took: from the environment, else from the mark it left; None if neither is there."""
    try:
        text = os.environ.get("CLASSIFIER_INSTALL_SECONDS") or (target.root / ".venv" / "ready").read_text()
        return float(text)
    except (OSError, ValueError):
        return None


def _chain_seconds(chain: Chain) -> dict[str, float | None]:
    tuning, training, package = chain.tuning, chain.training, chain.package
    promoted = chain.read_at if chain.outcome == "serving" else None
    return {
        "tune": seconds_between(tuning.created, tuning.ended) if tuning else None,
        "train": seconds_between(training.created, training.ended) if training else None,
        "promote": seconds_between(package.created, promoted) if package else None,
    }


def _chain_names(chain: Chain) -> dict[str, Any]:
    return {
        "tuning_job": chain.run,
        "training_job": chain.training.name if chain.training else None,
        "model_package": chain.package.arn if chain.package else None,
    }


def _rounded(timings: dict[str, float | None]) -> dict[str, float | None]:
    return {step: None if took is None else round(took, 1) for step, took in timings.items()}
