"""What is known of a search, as plain values: `dataclasses.asdict` makes JSON of it."""

from __future__ import annotations

from dataclasses import dataclass

Value = float | str


@dataclass(frozen=True)
class Axis:
    """One searched hyperparameter: `low` and `high` for numbers, `choices` for categories."""

    name: str
    low: float = 0.0
    high: float = 0.0
    scale: str = "Linear"
    """SageMaker's word: Linear, Logarithmic, ReverseLogarithmic or Auto."""
    whole: bool = False
    """Whether its numbers have no fraction."""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One training job of the search. `objective` is None where it reported none."""

    name: str
    status: str
    values: dict[str, Value]
    objective: float | None
    seconds: float | None
    reason: str = ""
    log: str = ""
    """Where its log is, in words."""

    @property
    def failed(self) -> bool:
        return self.status == "Failed"

    @property
    def stopped(self) -> bool:
        """Before its end: by the search, which gave up on it, or by hand."""
        return self.status in ("Stopped", "Stopping")

    @property
    def measured(self) -> bool:
        """Whether its objective counts: what a trial reported before it failed does not."""
        return self.objective is not None and not self.failed


@dataclass(frozen=True)
class Search:
    """A tuning job."""

    name: str
    status: str
    strategy: str
    metric: str
    maximize: bool
    axes: tuple[Axis, ...]
    trials: tuple[Trial, ...]
    """In the order they were started."""
    counted: str
    """How many of them completed, failed, were stopped and run, in words."""
    seconds: float | None
    """From its start to its end, which may be still to come."""
    parents: tuple[str, ...]

    @property
    def ranked(self) -> list[Trial]:
        """The trials with an objective that did not fail, the best first."""
        measured = [trial for trial in self.trials if trial.measured]
        return sorted(measured, key=lambda trial: trial.objective or 0.0, reverse=self.maximize)
