"""Rules about weights: how they start, whether they move, and how far."""

from __future__ import annotations

import numpy as np

from contract.words import listed
from training_code.debugging.rules.rule import TrainingRule
from training_code.findings import Problem


class PoorWeightInitialization(TrainingRule):
    """Weights that start all alike, all zero, or on a scale at which signals die or explode.

    AWS compares the variances of layers with each other. Those of a sound ResNet50 differ by 70, because He
    initialisation (arXiv 1502.01852) scales with a layer's size: so each layer is held against its own He
    deviation here. Looked at once, before the first step, loaded weights as well as fresh ones.
    """

    def look(self, step: int) -> Problem | None:
        spread, expected = self.vector("weight/spread", step), self.vector("weight/he", step)
        ratio = spread / expected
        factor = self.parameters["threshold"]
        poor = ~((ratio > 1 / factor) & (ratio < factor))  # nan too
        # A new last layer is small on purpose (torch's own default, or zeros), whatever its inputs are.
        poor[-1] = not ratio[-1] < factor
        if not poor.any():
            return None
        names = self.parameter_names(poor, "weights")
        constant = poor & (spread == 0)
        moves = (
            "are all the same number, so that all channels learn the same"
            if constant.any()
            else f"spread {ratio[poor].max():.3g} times as wide as He initialisation would have them"
        )
        return Problem(
            message=f"the weights of {listed(names)} {moves}",
            change='start from weights = "imagenet", or from fresh ones (weights = "none"): both suit ReLU '
            "networks. If the weights were loaded, look at how that file was made",
            gain=f"{len(names)} of {len(ratio)} layers start where signals neither die nor explode",
            how="counted before the first step",
            where=names,
        )


class UnchangedTensor(TrainingRule):
    """Weights that no longer change, by `numpy.allclose`.

    As AWS, on an even sample of each, with patience: a schedule that ends at zero makes the last steps tiny.
    """

    def look(self, step: int) -> Problem | None:
        excess = self.vector("weight/change", step)
        still = np.asarray(self.names["is_weight"]) & (excess <= 0)
        if not still.any():
            return None
        names = self.parameter_names(still)
        return Problem(
            message=f"{listed(names)} did not change for {int(self.parameters['patience'])} saved steps",
            change="raise learning_rate if the loss is still high; if these layers are meant to stay as they "
            "are, freeze them (trainable_from), which makes each step cheaper",
            gain=f"{len(names)} of {np.sum(self.names['is_weight'])} layers learn again, or cost no step",
            how="counted at this step",
            where=names,
        )


class WeightUpdateRatio(TrainingRule):
    """Steps that move weights too far, or not at all, in relation to their size.

    AWS allows ten times a weight's size; good steps move it by about 0.001 of that (CS231n, "Ratio of
    weights: updates"). Biases and norms start at zero and are left out.
    """

    def look(self, step: int) -> Problem | None:
        ratio = self.vector("update/ratio", step)
        weights = np.asarray(self.names["is_weight"])
        with np.errstate(invalid="ignore"):
            large = weights & ~(ratio <= self.parameters["large_threshold"])
            small = weights & (ratio < self.parameters["small_threshold"])
        if large.any():
            names, most = self.parameter_names(large), np.nan_to_num(ratio[large]).max()
            return Problem(
                message=f"a single step moves {listed(names)} by {most:.2g} times their size; about 0.001 is "
                "usual",
                change="lower learning_rate by ten to a hundred, or let it rise in a warm-up (warmup_epochs)",
                gain=f"steps of about 0.001 of a weight's size, {most / 0.001:.2g} times smaller",
                how="from this step's largest update",
                where=names,
            )
        if small[weights].all():
            names = self.parameter_names(small)
            return Problem(
                message=f"a step moves no weight by more than {ratio[small].max():.1e} of its size",
                change="raise learning_rate; look at whether the gradients reach the weights at all",
                gain="weights that move: steps of about 0.001 of their size are usual",
                how="from this step's updates",
                where=names,
            )
        return None
