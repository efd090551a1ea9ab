"""Is a model better than always answering the most frequent class, by more than chance makes?

Tested as a champion is: McNemar's exact test where there are answers picture by picture. Elsewhere it is the
exact binomial test of so many right answers among pictures of which guessing gets the share of that class;
its one tail counts twice, so that it is as strict as the two-sided test of McNemar.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from functions.common.evaluation import Evaluation
from functions.register_model import mcnemar


@dataclass(frozen=True)
class Guessing:
    """A model beside always answering the most frequent class."""

    p: float
    """How likely so large a lead, or a larger one, is of a model that is no better."""
    least_p: float
    """That of a model without a mistake on the same pictures."""
    how: str
    """The test and what it found, in words."""
    numbers: Mapping[str, object]
    """The same as data."""


def compare(candidate: Evaluation) -> Guessing:
    """The test of an evaluation."""
    if not candidate.predicted:
        p = binomial_p(round(candidate.accuracy * candidate.count), candidate.count, candidate.chance)
        least = binomial_p(candidate.count, candidate.count, candidate.chance)
        return Guessing(p, least, f"binomial test p = {p:.2g}", {"test": "binomial", "p": p})
    ((frequent, count),) = Counter(candidate.labels).most_common(1)
    guessed = (frequent,) * candidate.count
    found = mcnemar.compare(candidate.labels, guessed, candidate.predicted)
    return Guessing(
        # Only the model's own lead counts.
        found.p if found.only_candidate > found.only_champion else 1.0,
        mcnemar.Comparison(0, candidate.count - count).p,
        f"McNemar p = {found.p:.2g}: {found.only_candidate} to {found.only_champion}",
        {
            "test": "mcnemar",
            "p": found.p,
            "only_candidate_right": found.only_candidate,
            "only_guessing_right": found.only_champion,
        },
    )


def binomial_p(right: int, count: int, chance: float) -> float:
    """Twice how likely `right` or more of `count` are, each with the probability `chance`; at most 1."""
    if right <= count * chance:
        return 1.0
    log, other = math.log(chance), math.log1p(-chance)
    first = mcnemar.log_binomial(count, right) + right * log + (count - right) * other
    # From here on each term is smaller than the one before, by this factor.
    term = total = 1.0
    for hits in range(right, count):
        term *= (count - hits) / (hits + 1) * chance / (1 - chance)
        total += term
        if term < total * 1e-17:
            break
    return min(1.0, 2 * math.exp(first) * total)
