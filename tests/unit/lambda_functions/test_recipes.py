"""The recipes of the field's course projects search what those projects search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contract.environment import LaunchEnvironment
from functions.common.errors import InvalidRecipe
from functions.common.launching import costs, estimate, jobs
from functions.common.launching.runs import RunRecord
from functions.common.recipes import recipe
from tests.unit.lambda_functions.conftest import ENVIRONMENT

FOLDER = Path(__file__).parents[3] / "recipes"

# arch, trainable_from, {hyperparameter: (least, most, scale) or its values}, objective, jobs, at a time
COURSES: dict[str, tuple[str, str, dict[str, Any], str, int, int]] = {
    "cifar-resnet18-sgd": (
        "resnet18",
        "stem",
        {
            "learning_rate": (0.001, 0.1, "Logarithmic"),
            "momentum": (0.1, 0.99, "ReverseLogarithmic"),
            "epochs": (2, 4, "Linear"),
        },
        "valid_accuracy",
        4,
        2,
    ),
    "dogs-resnet50": (
        "resnet50",
        "layer4",
        {
            "learning_rate": (0.001, 0.1, "Logarithmic"),
            "batch_size": (16, 32, 64),
            "epochs": (2, 6, "Linear"),
        },
        "valid_accuracy",
        4,
        2,
    ),
    "snakes-resnet50": (
        "resnet50",
        "fc",
        {"learning_rate": (0.0001, 0.01, "Logarithmic"), "batch_size": (32, 64, 128)},
        "valid_loss",
        6,
        2,
    ),
    "dogs-resnet18-cpu": (
        "resnet18",
        "layer4",
        {
            "learning_rate": (0.001, 0.01, "Logarithmic"),
            "batch_size": (64, 128),
            "epochs": (2, 3, "Linear"),
        },
        "valid_loss",
        4,
        2,
    ),
    "dogs-resnet18-adamw": (
        "resnet18",
        "fc",
        {
            "learning_rate": (1e-4, 1e-2, "Logarithmic"),
            "eps": (1e-9, 1e-7, "Logarithmic"),
            "weight_decay": (1e-3, 1e-1, "Logarithmic"),
            "batch_size": (32, 64),
        },
        "valid_loss",
        20,
        2,
    ),
}


def loaded(name: str) -> recipe.Recipe:
    return recipe.parse(name, (FOLDER / f"{name}.toml").read_text(encoding="utf-8"), name)


@pytest.mark.parametrize("name", COURSES)
def test_a_course_recipe_searches_what_the_course_does(name: str) -> None:
    arch, trainable_from, ranges, objective, max_jobs, parallel_jobs = COURSES[name]
    found = loaded(name)
    tuning = found.tuning
    assert tuning is not None
    assert (found.hyperparameters["arch"], found.hyperparameters["trainable_from"]) == (arch, trainable_from)
    assert {each.name: each.values or (each.low, each.high, each.scale) for each in tuning.ranges} == ranges
    assert (tuning.objective, tuning.max_jobs, tuning.parallel_jobs) == (objective, max_jobs, parallel_jobs)
    assert tuning.early_stopping == "Auto"


def test_the_cpu_recipe_uses_a_stratified_third_of_the_pictures_on_the_machine_it_names() -> None:
    found = loaded("dogs-resnet18-cpu")
    assert found.hyperparameters["train_fraction"] == 0.3
    assert (found.hyperparameters["image_size"], found.hyperparameters["augment"]) == (224, "flip")
    assert found.table("resources")["instance_type"] == "ml.m5.2xlarge"


@pytest.mark.parametrize("name", COURSES)
def test_a_course_recipe_cannot_cost_more_than_it_says(name: str) -> None:
    settings = LaunchEnvironment.read(ENVIRONMENT)
    found = loaded(name)
    record = RunRecord(
        run="demo-x", kind="tuning", request_id="r", dataset="d", code_prefix="code/", recipe=found
    )
    bound = estimate.cost_of(record, settings)
    costs.guard(bound, found.table("resources")["max_cost_usd"])
    assert bound.usd is not None
    assert jobs.machine(found, settings).max_runtime_minutes <= 60


def test_a_warm_up_longer_than_the_shortest_searched_training_is_refused() -> None:
    text = (FOLDER / "dogs-resnet50.toml").read_text(encoding="utf-8")
    text = text.replace("warmup_epochs = 0.5", "warmup_epochs = 2.5")
    with pytest.raises(InvalidRecipe, match=r"\[tuning.ranges.epochs\].*below epochs = 2"):
        recipe.parse("x", text, "x")
