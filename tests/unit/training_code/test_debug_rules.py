"""Planted faults: a real short training with a fault in it, and exactly the rule that names it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from contract.debug_rules import DEBUG_RULES
from tests.unit.training_code.debugged import classes_of_noise, debug, found, sigmoid_stack
from training_code.debugging.reductions import activity
from training_code.debugging.rule_runner import RuleRunner, evaluate_folder
from training_code.debugging.smdebug_adapter import END_OF_JOB, StepWriter, array
from training_code.findings import Findings
from training_code.hardware import machine
from training_code.network.resnet import ResNet


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that are easy to tell apart."""
    return classes_of_noise(tmp_path_factory.mktemp("sound"), {"dark": (16, 6), "light": (16, 6)})


def zero(network: ResNet) -> None:
    for parameter in network.parameters():
        parameter.zero_()


def huge(network: ResNet) -> None:
    for parameter in network.parameters():
        parameter.mul_(100)


def dead(network: ResNet) -> None:
    """Push one norm's biases so far down that no unit behind it ever fires."""
    for module in network.layer2.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.bias.fill_(-50)


def test_a_healthy_training_triggers_no_rule(sound: Path) -> None:
    findings = debug(sound, epochs="6", learning_rate="0.003")
    assert found(findings) == []
    looked = {each.rule: each.evaluated for each in findings.rules}
    assert looked.pop("poor_weight_initialization") == looked.pop("class_imbalance") == 1
    assert all(looked.values())


@pytest.mark.parametrize("plant", [zero, huge])
def test_weights_of_zero_or_huge_ones_are_a_poor_initialization(sound: Path, plant: object) -> None:
    findings = debug(sound, plant, epochs="2")  # type: ignore[arg-type]
    assert found(findings) == ["poor_weight_initialization"]
    assert findings.findings[0].step == 0


def test_a_learning_rate_a_hundred_times_too_high_moves_the_weights_too_far(sound: Path) -> None:
    assert found(debug(sound, epochs="2", learning_rate="1", momentum="0.9")) == ["weight_update_ratio"]


def test_a_stack_of_sigmoids_starves_its_gradients(sound: Path) -> None:
    findings = debug(sound, sigmoid_stack, epochs="1")
    assert found(findings) == ["vanishing_gradient"]
    assert "conv1.weight" in findings.findings[0].where


def test_units_that_never_fire_are_dead(sound: Path) -> None:
    findings = debug(sound, dead, epochs="2")
    assert found(findings) == ["dead_relu"]
    assert findings.findings[0].where[0].startswith("layer2.0.relu")


def test_of_a_step_in_pieces_the_activity_of_all_is_told(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, NDArray[np.float32]]] = []
    monkeypatch.setattr(StepWriter, "save_step", lambda _writer, _step, tensors: told.append(dict(tensors)))

    def keep(network: ResNet) -> None:
        network.keeps_statistics = True

    debug(sound, keep, epochs="1")
    whole, told[:] = list(told), []
    monkeypatch.setattr(machine, "_TRAINED_AT_ONCE", 3 * 16**2 / 224**2)  # of 8, pieces of 2, 3 and 3
    debug(sound, keep, epochs="1")
    for ours, others in zip(told, whole, strict=True):
        np.testing.assert_allclose(ours["relu/activity"], others["relu/activity"], atol=0.01)
        np.testing.assert_allclose(ours["gradient/rms"], others["gradient/rms"], rtol=0.01)


def test_a_memorised_tiny_set_is_overfitted(tmp_path: Path) -> None:
    noise = classes_of_noise(tmp_path, {"a": (4, 8), "b": (4, 8)}, random=True)
    assert found(debug(noise, epochs="12", learning_rate="0.02")) == ["overfit"]


def test_twenty_pictures_against_one_are_imbalanced(tmp_path: Path) -> None:
    pictures = classes_of_noise(tmp_path, {"many": (40, 6), "few": (2, 6)})
    findings = debug(pictures, epochs="2")
    assert found(findings) == ["class_imbalance"]
    assert findings.findings[0].where == ["few"]


def test_a_channel_that_speaks_of_one_picture_only_is_heard_in_the_largest_layers() -> None:
    answers = torch.zeros(32, 64, 56, 56)
    answers[-1, 3] = 1
    answers[:, 5] = 1
    answers[:, 7, 1::2] = 1
    told = activity(answers)
    assert told[3] == pytest.approx(100 / 32)
    assert told[5] == 100
    assert 30 < told[7] < 70
    assert told[0] == 0
    assert activity(torch.ones(3, 2))[0] == 100


def folder_with(folder: Path, steps: dict[int, dict[str, object]], **names: object) -> Path:
    """A debug folder as a job leaves it, with these tensors."""
    hook = StepWriter(folder / "tensors", {"losses": "loss"})
    for step, tensors in steps.items():
        hook.save_step(step, {name: array(value) for name, value in tensors.items()})
    hook.end()
    told = {"parameters": ["a.weight", "b.weight"], "is_weight": [True, True], "weights": ["a.weight"]}
    told |= {"classes": 2, "label_smoothing": 0.0, "epochs": 4, "steps_per_epoch": 10, **names}
    (folder / "names.json").write_text(json.dumps(told))
    return folder


def judged(folder: Path) -> list[str]:
    return found(evaluate_folder(folder, DEBUG_RULES))


def test_weights_that_stay_as_they_are_are_told(tmp_path: Path) -> None:
    still = {step: {"weight/change": [1.0, -1e-9]} for step in range(3)}
    assert judged(folder_with(tmp_path / "still", still)) == ["unchanged_tensor"]
    briefly = {step: {"weight/change": [1.0, -1e-9 if step < 2 else 1.0]} for step in range(3)}
    assert judged(folder_with(tmp_path / "briefly", briefly)) == []


def test_a_loss_that_stays_where_it_is_is_told_and_a_low_one_may(tmp_path: Path) -> None:
    high = {step: {"loss": 0.69} for step in range(10)}
    low = {step: {"loss": 0.1} for step in range(10)}
    falling = {step: {"loss": 0.69 - step / 100} for step in range(10)}
    assert judged(folder_with(tmp_path / "high", high)) == ["loss_not_decreasing"]
    assert judged(folder_with(tmp_path / "low", low)) == []
    assert judged(folder_with(tmp_path / "falling", falling)) == []


def test_epochs_that_bring_nothing_are_told_with_how_many_would_do(tmp_path: Path) -> None:
    losses = [0.5, 0.4, 0.3, *[0.3] * 10]
    steps = {step: {"train/loss": value, "valid/loss": value} for step, value in enumerate(losses)}
    findings = evaluate_folder(folder_with(tmp_path, steps), DEBUG_RULES)
    assert found(findings) == ["overtraining"]
    assert "train for about 3 epochs" in findings.findings[0].change


def test_a_value_that_is_no_number_is_told_with_its_layer(tmp_path: Path) -> None:
    steps = {0: {"gradient/rms": [1.0, float("nan")], "weight/rms": [1.0, 1.0], "loss": 1.0}}
    findings = evaluate_folder(folder_with(tmp_path, steps), DEBUG_RULES)
    assert found(findings) == ["exploding_tensor"]
    assert findings.findings[0].where == ["gradient of b.weight"]


def test_a_class_taken_for_another_is_told_only_when_it_is_no_accident(tmp_path: Path) -> None:
    often = [[0, 0, 4], [0, 1, 26], [1, 0, 2], [1, 1, 28]]
    sure = {step: {"valid/confusion_cells": often} for step in (29, 39)}
    few = {step: {"valid/confusion_cells": [[0, 0, 1], [0, 1, 2], [1, 1, 3]]} for step in (29, 39)}
    findings = evaluate_folder(folder_with(tmp_path / "sure", sure, class_names=["ant", "bee"]), DEBUG_RULES)
    assert found(findings) == ["confusion"]
    assert findings.findings[0].message.startswith("26 of 30 validation pictures of 'ant'")
    assert judged(folder_with(tmp_path / "few", few)) == []
    of_many = [*[[place, place, 5] for place in range(9_998)], [9_998, 9_999, 26], [9_998, 9_998, 4]]
    many = {step: {"valid/confusion_cells": of_many} for step in (29, 39)}
    assert judged(folder_with(tmp_path / "many", many, classes=10_000)) == ["confusion"]


def test_parameters_of_a_rule_move_its_bounds(tmp_path: Path) -> None:
    steps = {step: {"weight/change": [1.0, -1e-9]} for step in range(2)}
    rules = {"unchanged_tensor": {"rtol": 1e-5, "atol": 1e-8, "patience": 2}}
    assert found(evaluate_folder(folder_with(tmp_path, steps), rules)) == ["unchanged_tensor"]


def test_rules_that_look_on_see_every_step_as_it_comes(tmp_path: Path) -> None:
    """Also when other rules miss a tensor, as most do in most steps."""
    folder = folder_with(tmp_path, {})
    (folder / "tensors" / END_OF_JOB).unlink()
    hook = StepWriter(folder / "tensors", {"losses": "loss"})
    findings = Findings()
    looking = RuleRunner(folder, DEBUG_RULES, findings)
    for step in range(12):
        more = {"valid/loss": array(0.5), "train/loss": array(0.5)} if step % 4 == 3 else {}
        hook.save_step(step, {"loss": array(1.0 / (step + 1)), **more})
        assert looking.evaluate_new()
        assert not looking.evaluate_new()
    looked = {each.rule: each.evaluated for each in findings.rules}
    assert (looked["loss_not_decreasing"], looked["overfit"], looked["confusion"]) == (12, 3, 0)


def test_a_folder_of_a_crashed_job_is_judged_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "job", {step: {"loss": 0.69} for step in range(12)})
    (folder / "tensors" / END_OF_JOB).unlink()
    torn = sorted((folder / "tensors" / "index").rglob("*.json"))[-1]
    torn.unlink()  # the step it was writing
    assert judged(folder) == ["loss_not_decreasing"]
    assert evaluate_folder(tmp_path / "nothing", DEBUG_RULES).findings == []
