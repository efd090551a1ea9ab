"""Rules about what flows through the network: gradients that vanish or explode, units that are dead."""

from __future__ import annotations

import numpy as np

from contract.words import listed
from training_code.debugging.rules.rule import TrainingRule
from training_code.findings import Problem


class VanishingGradient(TrainingRule):
    """Gradients of weights that are so small that they teach nothing.

    AWS has the mean of absolute values, which is never larger than the root mean square that is looked at
    here. For weights only, and with patience, because a single quiet batch is nothing.
    """

    def look(self, step: int) -> Problem | None:
        gradients = self.vector("gradient/rms", step)
        weights = np.asarray(self.names["is_weight"])
        small = weights & (gradients < self.parameters["threshold"])
        if not small.any():
            return None
        names = self.parameter_names(small)
        return Problem(
            message=f"the gradients of {listed(names)} are below {self.parameters['threshold']:g} "
            f"(the smallest is {gradients[small].min():.1e}): these layers learn nothing",
            change="use ReLU activations with batch normalisation or shortcuts instead of a deep stack of "
            "sigmoid or tanh layers; He initialisation; or start from pretrained weights",
            gain=f"{len(names)} of {weights.sum()} layers learn that stand still now",
            how="counted at this step",
            where=names,
        )


class ExplodingTensor(TrainingRule):
    """A gradient, weight or loss that is infinite or not a number.

    As AWS: a norm over all values of a tensor is not finite as soon as one of them is not.
    """

    def look(self, step: int) -> Problem | None:
        names = list(self.names["parameters"])
        where = [
            f"{kind.split('/')[0]} of {name}"
            for kind in ("gradient/rms", "weight/rms")
            if self.base_trial.has_tensor(kind) and step in self.base_trial.tensor(kind).steps()
            for name, value in zip(names, self.vector(kind, step), strict=True)
            if not np.isfinite(value)
        ]
        if self.base_trial.has_tensor("loss") and step in self.base_trial.tensor("loss").steps():
            where += [] if np.isfinite(self.number("loss", step)) else ["loss"]
        if not where:
            return None
        return Problem(
            message=f"{listed(where)} became infinite or not a number",
            change="lower learning_rate by ten, or let it rise in a longer warm-up (warmup_epochs); with "
            "AdamW keep eps at 1e-8",
            gain=f"the training gets past step {step}",
            how="no later number means anything",
            where=where,
        )


class DeadRelu(TrainingRule):
    """ReLU layers most of whose units are never active. As AWS, a unit being a channel at all places."""

    def look(self, step: int) -> Problem | None:
        activity = self.vector("relu/activity", step)
        dead = activity < self.parameters["threshold_inactivity"]  # the filling nan is not below
        channels = np.isfinite(activity).sum(1)
        share = 100 * dead.sum(1) / np.maximum(1, channels)
        over = share > self.parameters["threshold_layer"]
        if not over.any():
            return None
        order = np.argsort(-share)
        names = [self.names["relus"][place] for place in order if over[place]]
        return Problem(
            message=f"{share.max():.0f}% of the channels behind {listed(names)} are never active",
            change="lower learning_rate or warm it up: steps that are too large push biases so far down "
            "that a unit never fires again; look at the biases if the weights were loaded",
            gain=f"{dead[over].sum()} of {channels[over].sum()} channels of these layers work again",
            how="counted at this step",
            where=[f"{name}: {share[self.names['relus'].index(name)]:.0f}% dead" for name in names],
        )
