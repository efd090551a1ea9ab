"""The answers of champion and candidate to the same requests, laid side by side by the requests' ids.

An answer counts only if the version answers for which it is read: the files may hold those of an earlier
champion or candidate, and of requests without an id, which somebody sent past the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contract.decisions import time_of
from functions.common import captures

MOST_ANSWERS = 200_000
"""Of one variant; later ones change no decision, and would fill the function's memory."""


@dataclass(frozen=True)
class Agreement:
    """How many requests both have answered, and how many with the same class."""

    compared: int
    agreed: int

    @property
    def share(self) -> float:
        return self.agreed / self.compared if self.compared else 0.0


def classes(bucket: str, folder: str, version: str, start: datetime, end: datetime) -> dict[str, str]:
    """The class that one model version predicted, by the request's id."""
    found: dict[str, str] = {}
    since = time_of(start)
    for each in captures.between(bucket, folder, start, end):
        if not each.inference_id or each.time < since:
            continue
        try:
            if str(each.answer["model"]["version"]) == version:
                found[each.inference_id] = str(each.answer["predicted_class"])
        except (LookupError, TypeError, ValueError):
            continue
        if len(found) >= MOST_ANSWERS:
            break
    return found


def side_by_side(champion: dict[str, str], candidate: dict[str, str]) -> Agreement:
    """Of the requests that both answered, how many got the same class."""
    both = champion.keys() & candidate.keys()
    return Agreement(len(both), sum(champion[each] == candidate[each] for each in both))
