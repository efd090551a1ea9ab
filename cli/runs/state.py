"""What AWS says of a run's parts at one moment, as values: jobs, model, what serves, the mark of a stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cli.runs.jobs import counted
from contract.candidates import Candidate
from contract.decisions import Decision, Outcome, Reason
from contract.names import version_of

_GOOD_STACK = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}


@dataclass(frozen=True)
class Trial:
    """One training job of the search; `objective` is None until it has one, `reason` why it failed."""

    name: str
    status: str
    hyperparameters: dict[str, str]
    objective: float | None
    reason: str = ""
    created: datetime | None = None
    ended: datetime | None = None

    @property
    def failed(self) -> bool:
        return self.status == "Failed"


@dataclass(frozen=True)
class Tuning:
    """The tuning job; `direction` is `Maximize` or `Minimize`."""

    name: str
    status: str
    reason: str
    objective: str
    direction: str
    max_jobs: int
    created: datetime
    ended: datetime | None
    trials: tuple[Trial, ...]
    data: str = ""
    """The data set's version: `digits@3`."""
    parallel: int = 1
    """Trials that may run at a time."""

    @property
    def counted(self) -> str:
        """How many trials completed, failed, were stopped and run, in words."""
        return counted((trial.status for trial in self.trials), self.max_jobs)

    @property
    def best(self) -> Trial | None:
        scored = [
            trial for trial in self.trials if trial.objective is not None and trial.status == "Completed"
        ]
        sign = -1.0 if self.direction == "Minimize" else 1.0
        return max(scored, key=lambda trial: sign * (trial.objective or 0.0), default=None)


@dataclass(frozen=True)
class _Job:
    """What a training and a race have alike."""

    name: str
    status: str
    stage: str
    reason: str
    created: datetime
    ended: datetime | None
    goes_on: bool = field(default=False, kw_only=True)
    """AWS had no instance for it, and a job on the next instance type follows."""
    data: str = field(default="", kw_only=True)
    """The data set's version: `digits@3`."""


@dataclass(frozen=True)
class Training(_Job):
    """A training job; `epochs` are its metrics by name, one entry per epoch, `metrics` its final ones."""

    epochs: tuple[dict[str, float], ...]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Race(_Job):
    """The race of networks before the search; `judged` is what its log says of each, a line apiece."""

    judged: tuple[str, ...]


def data_of(hyperparameters: Mapping[str, str]) -> str:
    """The data set that a job is told, with its version where it has one."""
    version = hyperparameters.get("dataset_version")
    return hyperparameters.get("dataset", "") + (f"@{version}" if version else "")


@dataclass(frozen=True)
class Package:
    """The registered model; `verdict` is what the quality gate noted and `gate` what it decided, `reason` why
    its approval is so.
    """

    arn: str
    approval: str
    reason: Reason
    verdict: str
    created: datetime
    test_accuracy: float | None = None
    gate: Outcome | None = None
    """None of a version that the gate of this project did not judge, or an older one."""

    @property
    def has_other_classes(self) -> bool:
        """Whether it waits for a person because callers would get other classes."""
        return self.approval == "PendingManualApproval" and self.gate is Outcome.OTHER_CLASSES

    @property
    def decided(self) -> Outcome:
        """What was decided over it: the gate's verdict, for the moment before its approval has a reason."""
        return self.reason.outcome if self.reason.why or self.gate is None else self.gate

    @property
    def version(self) -> str:
        return version_of(self.arn)


@dataclass(frozen=True)
class Serving:
    """Serving stack and endpoint: `champion` is what should serve, `actual` what the stack resolved."""

    stack_status: str
    champion: Decision
    actual: str
    endpoint_status: str
    candidate: Candidate | None = None
    """The model that is compared with the champion."""
    deployed: datetime | None = None
    """When the stack was made: what a `destroy` before that has taken away is not here any more."""

    @property
    def settled(self) -> bool:
        return not self.stack_status.endswith("_IN_PROGRESS")

    def serves(self, arn: str) -> bool:
        return self.actual == arn and self.stack_status in _GOOD_STACK and self.endpoint_status == "InService"


@dataclass(frozen=True)
class Mark:
    """What `classifier stop` wrote beside a run: that nothing more may follow, and why."""

    why: str
