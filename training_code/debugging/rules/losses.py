"""Rules about the losses: they do not fall, or they fall apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from training_code.debugging.rules.rule import TrainingRule
from training_code.findings import Problem


class Overfit(TrainingRule):
    """Training pictures are known by heart, others are not.

    AWS: (validation loss - training loss) / training loss above 0.1. A network that does well has losses near
    zero, whose ratio says nothing: so the gap has to be `least_gap` of the loss of guessing as well. In the
    first epochs batch normalisation's running statistics lag behind the weights and the validation loss is
    high, then falls: so the training loss has to be below `learned` of the loss of guessing, and the
    validation loss no longer fall by a tenth an epoch. What label smoothing adds is taken off.
    """

    _before = math.inf
    """The validation loss of the epoch before."""

    def look(self, step: int) -> Problem | None:
        valid, guess = self.number("valid/loss", step), math.log(self.names["classes"])
        train = max(0.0, self.number("train/loss", step) - smoothing_floor(self.names))
        gap, limits = valid - train, self.parameters
        before, self._before = self._before, valid
        by_heart = train < limits["learned"] * guess and valid > 0.9 * before
        if not by_heart or gap <= limits["ratio_threshold"] * train or gap <= limits["least_gap"] * guess:
            return None
        return Problem(
            message=f"the validation loss is {valid:.3g}, the training loss {train:.3g}: it learns its "
            "pictures by heart",
            change='more pictures, or more variation of those there are (augment = "crop-flip"); '
            "fewer epochs; weight_decay; or train fewer layers (trainable_from) of a pretrained network",
            gain=f"at most {gap:.3g} of the validation loss, the gap between the two",
            how="from this epoch's losses",
        )


class Overtraining(TrainingRule):
    """Epochs that bring nothing any more. As AWS, in epochs, because validation is once per epoch."""

    def look(self, step: int) -> Problem | None:
        self.number("valid/loss", step)  # there is none but at the end of an epoch
        steps = [each for each in self.base_trial.tensor("valid/loss").steps() if each <= step]
        stalls = {}
        for split in ("train", "valid"):
            losses = [self.number(f"{split}/loss", each) for each in steps]
            stalls[split] = _epochs_without_gain(losses, self.parameters["delta"])
        if (
            stalls["train"] < self.parameters["patience_train"]
            or stalls["valid"] < self.parameters["patience_validation"]
        ):
            return None
        useful = len(steps) - stalls["valid"]
        return Problem(
            message=f"the validation loss has not improved for {stalls['valid']} epochs, the training "
            f"loss not for {stalls['train']}",
            change=f"train for about {useful} epochs; the model kept is that of the best epoch either way",
            gain=f"a training {len(steps) / max(1, useful):.1f} times shorter",
            how="counted in epochs",
        )


class LossNotDecreasing(TrainingRule):
    """The training loss stays where it is.

    AWS compares two single batches; here it is means over `num_saves` saves, and only while the loss is above
    `learned` of the loss of guessing: what follows is fine work, and noise decides which window is lower.
    """

    def look(self, step: int) -> Problem | None:
        steps = [each for each in self.base_trial.tensor("loss").steps() if each <= step]
        span = int(self.parameters["num_saves"])
        losses = [self.number("loss", each) for each in steps]
        floor = self.parameters["learned"] * math.log(self.names["classes"]) + smoothing_floor(self.names)
        if len(losses) < 2 * span:
            return None
        recent, before = sum(losses[-span:]) / span, sum(losses[-2 * span : -span]) / span
        fallen = 100 * (before - recent) / abs(before) if before else 0.0
        if recent < floor or fallen >= self.parameters["diff_percent"]:
            return None
        return Problem(
            message=f"the training loss was {before:.4g} and is {recent:.4g}, "
            f"{steps[-1] - steps[-span]} steps on",
            change="try learning_rate three times higher, and three times lower: too high a rate jumps over "
            "the minimum, too low a one does not get there; check that pictures and labels belong together",
            gain=f"at most {recent - smoothing_floor(self.names):.3g} of loss, all that is left of it "
            f"(guessing has {math.log(self.names['classes']):.3g})",
            how="from the saved losses",
        )


def smoothing_floor(names: Mapping[str, Any]) -> float:
    """The training loss of a network that is always right, which label smoothing keeps above zero."""
    classes, share = names["classes"], names["label_smoothing"]
    if not share:
        return 0.0
    right, wrong = 1 - share + share / classes, share / classes
    return -float(right * math.log(right) + (classes - 1) * wrong * math.log(wrong))


def _epochs_without_gain(losses: list[float], delta: float) -> int:
    best, at = math.inf, 0
    for place, loss in enumerate(losses):
        if loss < best - delta:
            best, at = loss, place
    return len(losses) - 1 - at
