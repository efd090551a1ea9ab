"""McNemar's exact test: do two classifiers differ on the same pictures by more than chance?

Only the pictures count which one of them got right and the other wrong. If both were equally good, each such
picture would fall to either side like a coin, so their numbers follow a binomial distribution with p = 1/2.
Source: McNemar, Q. (1947), Psychometrika 12, 153-157; exact form: Dietterich, T. (1998), Neural Computation
10, 1895-1923.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same pictures."""

    only_champion: int
    """Pictures that only the champion got right."""
    only_candidate: int
    """Pictures that only the candidate got right."""

    @property
    def p(self) -> float:
        """Two-sided: how likely a difference of this size or more is between two equally good models."""
        count = self.only_champion + self.only_candidate
        rarer = min(self.only_champion, self.only_candidate)
        if 2 * rarer == count:
            return 1.0
        # In logarithms, for 2^-count is no number any more from a thousand pictures on.
        logs = [log_binomial(count, k) - count * math.log(2) for k in range(rarer + 1)]
        largest = max(logs)
        return min(1.0, 2 * math.exp(largest) * math.fsum(math.exp(each - largest) for each in logs))


def compare(labels: Sequence[int], champion: Sequence[int], candidate: Sequence[int]) -> Comparison:
    """Count the pictures on which they differ; all three have one class index per picture, in one order."""
    rows = list(zip(labels, champion, candidate, strict=True))
    return Comparison(
        only_champion=sum(one == truth != other for truth, one, other in rows),
        only_candidate=sum(one != truth == other for truth, one, other in rows),
    )


def log_binomial(n: int, k: int) -> float:
    """The logarithm of how many ways there are to choose k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
