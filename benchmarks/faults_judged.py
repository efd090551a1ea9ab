"""What the fault campaign holds to be right: nothing acknowledged is lost, and what is told is what happened.

Only values in, only values out: `tests/unit/benchmarks/test_faults.py` knows them without a server.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

KINDS = ("lost_writes", "stuck", "leaked_processes", "failed_trials", "wrong_outcomes")
_ENDED = {"Completed", "Failed", "Stopped"}


@dataclass(frozen=True)
class Moment:
    """A drawn moment: who is killed, in what phase, and how many seconds into it."""

    phase: str
    victim: str
    seconds: float


def draw(plan: Mapping[tuple[str, str], tuple[int, float]], seed: int) -> list[Moment]:
    """The moments of a plan ((phase, victim) -> how many, and within how many seconds), phase by phase."""
    chance = random.Random(seed)
    return [
        Moment(phase, victim, round(chance.uniform(0, within), 2))
        for (phase, victim), (count, within) in plan.items()
        for _ in range(count)
    ]


@dataclass
class Ledger:
    """Values written under keys: what was acknowledged last, and what was tried since."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    tried: dict[str, list[str]] = field(default_factory=dict)

    def write(self, key: str, value: str, put: Callable[[str, str], object]) -> bool:
        """Write, and note whether that was acknowledged."""
        self.tried.setdefault(key, []).append(value)
        try:
            put(key, value)
        except Exception:  # whatever it was, the write may or may not have happened
            return False
        self.acknowledged[key], self.tried[key] = value, []
        return True

    def lost(self, found: Mapping[str, str]) -> list[str]:
        """The keys whose value is neither the acknowledged one nor one that was tried after it."""
        return [
            key
            for key, value in self.acknowledged.items()
            if found.get(key) != value and found.get(key) not in self.tried.get(key, [])
        ]


@dataclass(frozen=True)
class Job:
    """A job as it is described: its status, the reason, and whether its artifact is in S3."""

    name: str
    status: str
    reason: str = ""
    artifact: bool = False


def wrong_job(job: Job, killed: bool) -> str:
    """What is wrong with how a job ended; empty if nothing is.

    Parameters
    ----------
    killed : its process was killed (it may have ended by itself just before).
    """
    if job.status not in _ENDED:
        return ""  # that is not wrong but stuck
    if job.status == "Completed" and not job.artifact:
        return f"{job.name} is Completed and has no artifact"
    if job.status == "Failed" and not job.reason:
        return f"{job.name} is Failed without a reason"
    if job.status == "Stopped" and killed:
        return f"{job.name} was killed and is called Stopped"
    return ""


def wrong_search(status: str, trials: Sequence[Job], server_killed: bool) -> str:
    """What is wrong with how a search ended, given how its trials did."""
    if status == "Completed" and not any(trial.status == "Completed" for trial in trials):
        return "the search is Completed without a trial that is"
    if status == "Failed" and not server_killed and any(trial.status == "Completed" for trial in trials):
        return "the search is Failed although a trial has a result"
    return ""


def wrong_champion(champion: str, approval: str, served: str, answered: str) -> str:
    """What is wrong when parameter, registry, stack and API do not tell the same story.

    Parameters
    ----------
    champion : the package's ARN in the parameter.
    approval : that package's approval status.
    served : the ARN that the Serving stack's output names.
    answered : the version that the API's last answer names.
    """
    if champion != served:
        return f"the champion is {champion}, and the stack serves {served}"
    if approval != "Approved":
        return f"the champion {champion} is {approval}"
    if answered != champion.rpartition("/")[2]:
        return f"the champion is {champion}, and version {answered} answers"
    return ""


@dataclass
class Found:
    """What a fault has left: a number per kind, and what exactly."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    lines: list[str] = field(default_factory=list)

    def add(self, kind: str, what: Iterable[str]) -> None:
        """Note each of `what` (empty ones aside)."""
        for each in filter(None, what):
            self.counts[kind] += 1
            self.lines.append(f"{kind}: {each}")


def summary(rows: Iterable[Mapping[str, object]]) -> dict[str, int]:
    """The sums of all rows, which ought to be zero."""
    rows = list(rows)
    return {kind: sum(int(str(row.get(kind, 0))) for row in rows) for kind in KINDS}
