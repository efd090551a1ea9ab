"""Last trainings of recipes, reduced: the demo's has nothing to mend, a course recipe's has features kept."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from cli.commands.demo_data import write_digits
from contract.debug_rules import DEBUG_RULES
from functions.common.launching import insight
from functions.common.launching.costs import Machine
from functions.common.recipes.recipe import as_text
from functions.common.recipes.recipe import parse as parse_recipe
from tests.unit.training_code.debugged import found
from tests.unit.training_code.samples import job_folder, train
from tests.unit.training_code.test_job import metrics, run
from training_code.config import parse
from training_code.debugging.capture import Capture
from training_code.debugging.rule_runner import evaluate_folder
from training_code.debugging.settings import DebugSettings

RECIPES = Path(__file__).parents[3] / "recipes"
RECIPE = RECIPES / "dogs-resnet18-adamw.toml"
REDUCED = {"weights": "none", "image_size": "32", "batch_size": "4", "precision": "float32"}


def test_a_healthy_run_of_the_demo_recipe_triggers_no_rule(tmp_path: Path) -> None:
    write_digits(tmp_path / "digits")
    path = RECIPES / "digits.toml"
    recipe = parse_recipe(path.stem, path.read_text(), path.name)
    last = {name: as_text(value) for name, value in (recipe.hyperparameters | recipe.final).items()}
    told = last | {"epochs": "2", "train_fraction": "0.5", "debug_rules": "all", "debug_every": "2"}
    settings = DebugSettings.of(parse(told))
    capture = Capture(tmp_path / "debug", settings, [str(digit) for digit in range(10)])
    train(tmp_path / "digits", None, callback=capture, **told)
    capture.end()
    findings = evaluate_folder(tmp_path / "debug", settings.debug_rules)
    assert found(findings) == []
    assert {each.rule for each in findings.rules if each.evaluated} == set(DEBUG_RULES)


def test_the_last_training_of_the_adamw_recipe_runs_debugged_and_profiled_on_kept_features(
    pictures: Path, tmp_path: Path
) -> None:
    recipe = parse_recipe(RECIPE.stem, RECIPE.read_text(), RECIPE.name)
    told = {name: as_text(value) for name, value in recipe.hyperparameters.items()} | REDUCED
    told["feature_cache"] = str(tmp_path / "features")
    train(pictures, None, **told)  # a trial
    machine = Machine(instance_type="ml.m5.2xlarge", instance_count=1, volume_gb=30, max_runtime_minutes=30)
    final = recipe.final | insight.hyperparameters(recipe, machine)
    base = job_folder(
        tmp_path / "base", pictures, told | {name: as_text(value) for name, value in final.items()}
    )
    code, log = run(base)
    assert code == 0, log
    assert log.count(" 0 to compute") == 3, "train, valid and test are known from the trial"
    epochs = tomllib.loads(RECIPE.read_text())["final"]["epochs"]
    assert len(metrics(log)) == epochs + 1
    findings = json.loads((base / "output" / "data" / "debug" / "findings.json").read_text())
    assert {rule["kind"] for rule in findings["rules"] if rule["evaluated"]} == {"debug", "profile"}
    assert list((base / "output" / "data" / "debug" / "profile").iterdir())
    report = (base / "model" / "report.html").read_text()
    assert "Gradient and weight flow" in report
    card = json.loads((base / "model" / "model.json").read_text())
    assert card["hyperparameters"]["epochs"] == epochs
    assert "serving form" in log
    assert "warning" not in log
