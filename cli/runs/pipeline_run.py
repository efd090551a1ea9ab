"""One run from tuning to endpoint, as a value.

A `PipelineRun` is everything the APIs say about a run at one moment. `outcome` judges it: still running,
serving, compared with the champion, refused by the quality gate, waiting for approval, superseded by a newer
champion, stopped, or failed and why.
How it is read from AWS is in `reader`, how it looks in `screen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cli.choice import command
from cli.release.candidate import in_words
from cli.release.champion import waiting_in_words
from cli.runs.jobs import RUNNING, log_of
from cli.runs.state import Mark, Package, Race, Serving, Training, Tuning
from contract import names
from contract.decisions import Outcome
from contract.names import version_of

STEP_PATIENCE = timedelta(minutes=5)  # asynchronous Lambda retries alone take three


@dataclass(frozen=True)
class PipelineRun:
    """A run at the moment `read_at`. `race` is None where the recipe names its network, `tuning` while that
    runs, or for a training started by hand; `answering` is the version that answered a picture just now,
    where somebody asked; `clue` a stuck Lambda's last error; `mark` is there only of a run that
    `may_be_marked`.
    """

    project: str
    name: str
    tuning: Tuning | None
    training: Training | None
    package: Package | None
    serving: Serving
    read_at: datetime
    answering: str = ""
    clue: str = ""
    mark: Mark | None = None
    race: Race | None = None
    option: str = ""
    """What a suggested command must carry to reach where it is."""
    scheduled: Mapping[str, float] = field(default_factory=dict)
    """Why it started by itself (`contract.retraining`); empty of one that a person started."""

    @property
    def outcome(self) -> str:
        """`running`, `serving`, `shadowing`, `asleep`, `waiting`, `refused`, `awaiting approval`,
        `superseded`, `stopped` or `failed`.
        """
        return self._judge()[0]

    @property
    def reason(self) -> str:
        """Why, in a sentence; empty while running or serving."""
        return self._judge()[1]

    @property
    def data(self) -> str:
        """The data set and its version; empty for a job of another origin."""
        job = self.tuning or self.training or self.race
        return job.data if job else ""

    @property
    def test_accuracy(self) -> float | None:
        """Of this run's model, as the gate read it from the job's own evaluation; before there is a package,
        what SageMaker found in the job's log.
        """
        if self.package is not None and self.package.test_accuracy is not None:
            return self.package.test_accuracy
        return self.training.metrics.get("test_accuracy") if self.training else None

    @property
    def baking(self) -> bool:
        """The new model answers, and the update still keeps the old one for its bake time."""
        return self.outcome == "serving" and not self.serving.settled

    @property
    def ended(self) -> bool:
        return self.outcome != "running"

    @property
    def over(self) -> bool:
        """Whether nothing of it runs and nothing can follow by itself; one that only hangs is not over."""
        if self.package is not None:
            candidate = self.serving.candidate
            compared = candidate is not None and candidate.package == self.package.arn
            return not compared and self.package.approval != "PendingManualApproval"
        if self.mark is not None or self._is_of_before:
            return True
        return any(job.status == "Stopped" for job in self._jobs) or self._failed is not None

    @property
    def may_be_marked(self) -> bool:
        """Whether the mark of `classifier stop`, if there is one, is why it stands where it stands."""
        if self.package is not None:
            decided = self.package.reason.outcome
            return self.package.approval == "Rejected" and decided is Outcome.BY_HAND
        return self._failed is None and all(job.status not in RUNNING for job in self._jobs)

    @property
    def _jobs(self) -> tuple[Race | Tuning | Training, ...]:
        return tuple(job for job in (self.race, self.tuning, self.training) if job is not None)

    @property
    def _is_of_before(self) -> bool:
        """Whether all its jobs ended before this deployment was made, which does not have its model."""
        made, ends = self.serving.deployed, [job.ended for job in self._jobs]
        if made is None or not ends or self.package is not None:
            return False
        return all(end is not None and end < made for end in ends)

    @property
    def _failed(self) -> Race | Tuning | Training | None:
        """The job that failed for good."""
        if any(job is not None and job.goes_on for job in (self.race, self.training)):
            return None
        return next((job for job in self._jobs if job.status == "Failed"), None)

    def _judge(self) -> tuple[str, str]:
        if self.mark is not None:
            return "stopped", self.mark.why
        if self.training is not None and self.training.goes_on:
            what = "the training on the next instance type"
            return self._waiting(self.training.ended, "launch-training", what)
        if self.race is not None and self.race.goes_on:
            return self._waiting(self.race.ended, "launch-tuning", "the race on the next instance type")
        if (ended := self._judge_jobs()) is not None:
            return ended
        if self.race is not None and self.tuning is None:
            return self._waiting(self.race.ended, "launch-tuning", "the search")
        if self.training is None:
            return self._waiting(
                self.tuning.ended if self.tuning else None, "launch-training", "the final training"
            )
        if self.package is None:
            return self._waiting(self.training.ended, "register-model", "a model package")
        return self._judge_package(self.package)

    def _judge_jobs(self) -> tuple[str, str] | None:
        """What a job that failed or was stopped made of it, or another deployment; None where it goes on."""
        if (job := self._failed) is not None:
            place = f" ({log_of(job.name)})" if job is not self.tuning else ""
            return "failed", f"{job.name}: {job.reason or 'AWS gives no reason'}{place}"
        for job in self._jobs:
            if job.status == "Stopped":
                why = job.reason or "by hand, or at its longest run time"
                return "stopped", f"{job.name}: {'before this deployment' if self._is_of_before else why}"
        if self._is_of_before:
            return "superseded", "it is of an earlier deployment: `destroy` has taken its model away"
        return None

    def _judge_package(self, package: Package) -> tuple[str, str]:
        if package.approval == "Rejected":
            why = package.reason.in_words
            if package.reason.outcome is Outcome.ROLLED_BACK:
                return "superseded", why
            if package.reason.outcome is Outcome.FAILED_UPDATE:
                return "failed", f"the promotion of version {package.version} failed: {why}"
            return "refused", why or package.verdict
        if package.approval == "PendingManualApproval":
            why = ""
            if package.has_other_classes:
                words = package.reason.in_words or package.verdict
                why = f"callers would get other classes than now ({words}); "
            elif package.reason.outcome is Outcome.NOT_TRUSTED:
                why = f"it was compared with the champion, and {package.reason.why}; "
            approve, reject = (
                command(f"{word} {package.version}", self.option) for word in ("approve", "reject")
            )
            return "awaiting approval", (
                f"{why}approve it with: {approve}, or in the AWS console; or reject it: {reject}"
            )
        return self._judge_approved(package)

    def _judge_approved(self, package: Package) -> tuple[str, str]:
        # It answers before the update ends, which keeps the old fleet for a while to roll back to.
        if self.serving.serves(package.arn) or self.answering == package.version:
            return "serving", ""
        champion, candidate = self.serving.champion, self.serving.candidate
        if candidate is not None and candidate.package == package.arn:
            return "shadowing", in_words(candidate, self.option)
        if champion.waits is not None and champion.waits.package == package.arn:
            return "waiting", waiting_in_words(champion, self.option)
        if self.serving.settled and _version(champion.model) > _version(package.arn):
            return "superseded", f"version {_version(champion.model)} is the champion now"
        if champion.asleep == package.arn:
            wake = command("wake", self.option)
            return "asleep", f"its endpoint was taken away to cost nothing; a picture or `{wake}` wakes it"
        if self.serving.endpoint_status == "Failed":
            return "failed", f"the endpoint {self.project} failed; the stack {self.project}-serving says why"
        if not self.serving.settled:
            return "running", ""
        return self._waiting(package.created, "promote-model", f"version {package.version} into service")

    def _waiting(self, since: datetime | None, function: str, what: str) -> tuple[str, str]:
        """Running, unless the Lambda that should have gone on has been silent for too long."""
        if since is None or self.read_at - since < STEP_PATIENCE:
            return "running", ""
        clue = f" It last said: {self.clue}." if self.clue else ""
        whose = names.function(self.project, function)
        return "failed", (
            f"{whose} has not brought {what} within {int(STEP_PATIENCE.total_seconds() / 60)} minutes.{clue} "
            f"Look at the log group {names.log_of(whose)} and the queue {self.project}-dead-letters."
        )


def _version(arn: str) -> int:
    tail = version_of(arn)
    return int(tail) if tail.isdigit() else 0
