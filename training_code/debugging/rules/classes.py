"""Rules about the classes: too unequal in number, or taken for one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contract.words import listed
from training_code.debugging.rules.rule import TrainingRule
from training_code.findings import Problem

Numbers = NDArray[np.float64]


class ClassImbalance(TrainingRule):
    """Some classes have many times the training pictures of others. As AWS; once, before the first step."""

    def look(self, step: int) -> Problem | None:
        counts = self.vector("labels/count", step).astype(int)
        ratio = counts.max() / max(1, counts.min())
        if ratio <= self.parameters["threshold_imbalance"]:
            return None
        names = self.names.get("class_names") or [str(index) for index in range(len(counts))]
        rare = [names[index] for index in np.argsort(counts) if counts[index] * 10 < counts.max()]
        return Problem(
            message=f"the most frequent class has {counts.max()} training pictures, the rarest "
            f"{counts.min()}: {ratio:.0f} to 1",
            change=f'set class_weights = "balanced", or gather more pictures of {listed(rare)}. '
            "Read the recall by class, not the accuracy: answering the frequent class alone looks good in it",
            gain=f"a mistake on the rarest class counts as much as {ratio:.0f} on the most frequent, so that "
            "finding it pays",
            how="from the numbers of pictures",
            where=rare,
        )


class Confusion(TrainingRule):
    """A class is taken for another so often that it is no accident.

    AWS: an off-diagonal share of the confusion matrix above 0.1, but of eighteen pictures two mistakes are
    that. So the lower end of the share's 95% interval (Wilson 1927) has to exceed `max_off_diag`, for
    `patience` epochs in a row, in the second half of training.
    """

    def look(self, step: int) -> Problem | None:
        truths, answers, counts = self.vector("valid/confusion_cells", step).astype(int).T
        if (step + 1) * 2 <= self.names["epochs"] * self.names["steps_per_epoch"]:
            return None
        totals = np.bincount(truths, counts)[truths]
        lower = np.where(truths == answers, 0, _wilson_lower(counts / totals, totals))
        often = np.argsort(-lower, kind="stable")
        often = often[lower[often] > self.parameters["max_off_diag"]]
        if not len(often):
            return None
        names = self.names.get("class_names") or [str(index) for index in range(self.names["classes"])]
        confusions = [f"{names[truths[each]]} taken for {names[answers[each]]}" for each in often]
        worst = often[0]
        return Problem(
            message=f"{counts[worst]} of {int(totals[worst])} validation pictures of "
            f"{names[truths[worst]]!r} are taken for {names[answers[worst]]!r}",
            change="look at the pictures of both: labels mixed up, or one class in two folders? If they are "
            "truly alike, a larger image_size or more pictures of both; or make them one class",
            gain=f"at most {100 * counts[often].sum() / counts.sum():.1f} points of accuracy",
            how="counted in the validation split",
            where=confusions,
        )


def _wilson_lower(share: Numbers, count: Numbers, z: float = 1.96) -> Numbers:
    middle = share + z * z / (2 * count)
    spread = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count)
