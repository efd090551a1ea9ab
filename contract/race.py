"""race.json: how the networks of a race did. The race's job writes it; a launcher and a page read it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

FILE: Final = "race.json"
MAX_BYTES: Final = 256 * 1024
MAX_NETWORKS: Final = 12
"""A job has 20 channels, and each network's weights come in one."""
_FORMAT: Final = 1


class UnreadableRace(ValueError):
    """A race.json that no job of a race wrote."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What the winner may take; None: whatever it takes.

    Attributes:
        max_ms: milliseconds of one picture on one core, in the form that serves.
        max_mb: megabytes of that form.
    """

    max_ms: float | None = None
    max_mb: float | None = None


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One network of the race.

    Attributes:
        network: timm's name.
        weights: where they came from; `none` for fresh ones.
        accuracy: of a linear head on its features, of pictures that the head was not fitted to.
        precision: of the form that was measured, as in `contract.artifact.PRECISIONS`; empty where the job's
            image makes none.
        ms: milliseconds of one picture on one core in that form.
        mb: megabytes of that form.
        per_second: pictures that all cores answered in a second.
        usd_per_million: what a million pictures cost on the job's instance type, always busy.
        seconds: what judging it took.
        left_out: why it was not judged; empty if it was. All numbers are None then.
        restriction: what the weights' licence forbids, in words.
    """

    network: str
    weights: str
    accuracy: float | None = None
    precision: str = ""
    ms: float | None = None
    mb: float | None = None
    per_second: float | None = None
    usd_per_million: float | None = None
    seconds: float = 0.0
    left_out: str = ""
    restriction: str = ""

    def within(self, bounds: Bounds) -> bool:
        """Whether it was judged, and takes no more than it may."""
        if self.accuracy is None:
            return False
        limits = ((self.ms, bounds.max_ms), (self.mb, bounds.max_mb))
        return all(most is None or (value is not None and value <= most) for value, most in limits)


@dataclass(frozen=True, kw_only=True)
class Race:
    """A race that is over.

    Attributes:
        dataset: with its version, as requests have it.
        pictures: how many the heads were judged by.
        machine: what it ran on, in words.
        entrants: in the order of the recipe.
    """

    dataset: str
    pictures: int
    classes: int
    machine: str
    bounds: Bounds
    entrants: tuple[Entrant, ...]

    @property
    def ranked(self) -> tuple[Entrant, ...]:
        """Those within the bounds: the winner, then the most accurate first; of equals the quicker.

        What is less than a standard error may be chance, so the winner is the quickest of those whose
        accuracy is that near to the greatest (the 1 SE rule of Breiman, Friedman, Olshen and Stone 1984).
        """
        inside = sorted((each for each in self.entrants if each.within(self.bounds)), key=_rank)
        if not inside:
            return ()
        greatest = inside[0].accuracy or 0.0
        error = math.sqrt(max(0.0, greatest * (1 - greatest)) / max(1, self.pictures))
        near = (each for each in inside if (each.accuracy or 0.0) >= greatest - error)
        winner = min(near, key=lambda each: (_ms(each), *_rank(each)))
        return winner, *(each for each in inside if each is not winner)

    @property
    def front(self) -> tuple[Entrant, ...]:
        """The Pareto front of accuracy and time, the most accurate first."""
        return tuple(reversed(pareto((each for each in self.entrants if each.accuracy is not None), _ms)))

    def text(self) -> str:
        """The file."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1)


def pareto(judged: Iterable[Entrant], value: Callable[[Entrant], float]) -> list[Entrant]:
    """Those that nothing beats: no other takes as little, by `value`, and is more accurate, or takes less and
    is as accurate. What takes least comes first.
    """
    found: list[Entrant] = []
    for each in sorted(judged, key=lambda one: (value(one), -(one.accuracy or 0.0))):
        if not found or (each.accuracy or 0.0) > (found[-1].accuracy or 0.0):
            found.append(each)
    return found


def read(text: str | bytes) -> Race:
    """The race in a file.

    Raises:
        UnreadableRace: it is none.
    """
    try:
        body = json.loads(text)
        values = {each.name: body[each.name] for each in fields(Race)}
        bounds = Bounds(**values.pop("bounds"))
        entrants = tuple(_entrant(each) for each in values.pop("entrants"))
        return Race(bounds=bounds, entrants=entrants, **values)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnreadableRace(f"{FILE} tells of no race: {type(error).__name__}: {error}") from None


def missed(entrants: Iterable[Entrant], bounds: Bounds) -> str:
    """What the judged networks take, for whoever set bounds that none is within."""
    said = [
        f"{each.network} {_figure(each.ms)} ms, {_figure(each.mb)} MB"
        for each in entrants
        if each.accuracy is not None
    ]
    limits = [f"{name} = {value:g}" for name, value in asdict(bounds).items() if value is not None]
    return f"no network is within {' and '.join(limits)}: {'; '.join(said)}"


def _entrant(values: dict[str, Any]) -> Entrant:
    entrant = Entrant(**values)
    numbers = (getattr(entrant, name) for name in ("accuracy", "ms", "mb", "per_second"))
    if not all(each is None or math.isfinite(each) for each in numbers):
        raise ValueError(f"{entrant.network} has a number that is none")
    return entrant


def _rank(each: Entrant) -> tuple[float, float]:
    return -(each.accuracy or 0.0), _ms(each)


def _ms(each: Entrant) -> float:
    return math.inf if each.ms is None else each.ms


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f}"
