"""One tuning job from its first trial to its verdict.

A run asks its search for trials and launches each as a training job, so many at once as allowed; it
watches their objective as they train and stops those that fall behind; it tells the search every result;
and it ends when the search is exhausted, the limits or the goal are reached, or somebody stops it.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.errors import ResourceLimitExceeded, ValidationException
from local_aws.core.wire import model_of
from local_aws.sagemaker import tags
from local_aws.sagemaker.s3_files import S3Uri
from local_aws.sagemaker.training import instances
from local_aws.sagemaker.training.jobs import TrainingJobs
from local_aws.sagemaker.training.run import TrainingRun
from local_aws.sagemaker.tuning import early_stopping
from local_aws.sagemaker.tuning.checks import OBJECTIVE_HYPERPARAMETER
from local_aws.sagemaker.tuning.search import Search, Trial

log = logging.getLogger(__name__)

Document = dict[str, Any]
KIND = "tuning-job"
TICK_SECONDS = 0.5
# "No training job succeeded after 5 attempts" is what AWS says when it gives up.
HOPELESS_AFTER = 5


@dataclass(frozen=True)
class Verdict:
    """How a tuning job ends."""

    status: str
    reason: str = ""


@dataclass
class _Child:
    """A training job that runs: its trial, and how many values of the objective were looked at."""

    name: str
    trial: Trial
    run: TrainingRun
    reported: int = 0
    stopped: bool = False


class TuningRun:
    """The run of one tuning job; `run` is the thread's work, `stop` may be called from others."""

    def __init__(
        self,
        aws: LocalAws,
        training: TrainingJobs,
        tuning: Document,
        search: Search,
        end: Callable[[str, str, str], object],
    ) -> None:
        self._aws, self._training, self._tuning, self._search, self._end = aws, training, tuning, search, end
        self._name: str = tuning["HyperParameterTuningJobName"]
        self._config: Document = tuning["HyperParameterTuningJobConfig"]
        objective = self._config["HyperParameterTuningJobObjective"]
        self._metric: str = objective["MetricName"]
        self._maximize: bool = objective["Type"] == "Maximize"
        self._running: list[_Child] = []
        self._series: list[list[float]] = []  # objective by epoch, of the jobs that have ended
        self._objectives: list[float] = []
        self._launched = self._failed = self._unmeasured = 0
        self._exhausted = False
        self._stop, self._wake = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Ask the run to end as Stopped."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Run the tuning job to its end, whatever that is."""
        try:
            verdict = self._search_on()
        except ResourceLimitExceeded as error:  # another job took what was free when this one was created
            self._stop_children()
            verdict = Verdict("Failed", str(error))
        except Exception as error:
            log.exception("tuning job %s", self._name)
            self._stop_children()
            verdict = Verdict("Failed", f"InternalServerError: {type(error).__name__}: {error}")
        if not process.ending():  # the next start of the server reports the job as failed
            self._end(self._name, verdict.status, verdict.reason)

    def _search_on(self) -> Verdict:
        verdict: Verdict | None = None
        while not process.ending():
            self._collect()
            verdict = verdict or self._early_verdict()
            if verdict:
                self._stop_children()
            else:
                self._watch()
                self._launch()
            if not self._running and (verdict or self._exhausted):
                break
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
        return verdict or self._final_verdict()

    def _launch(self) -> None:
        limits = self._config["ResourceLimits"]
        most = limits.get("MaxNumberOfTrainingJobs")
        while len(self._running) < limits["MaxParallelTrainingJobs"] and not self._exhausted:
            trial = self._search.ask() if most is None or self._launched < most else None
            if trial is None:
                self._exhausted = True
                return
            self._launched += 1
            self._running.append(self._start(trial))

    def _start(self, trial: Trial) -> _Child:
        name = f"{self._name}-{self._launched:03d}-{secrets.token_hex(4)}"
        tuning = {
            "TuningJobArn": self._tuning["HyperParameterTuningJobArn"],
            "TunedHyperParameters": trial.hyperparameters,
        }
        # Written down first: whoever hears of the child can find it at its tuning job.
        self._aws.store.update(KIND, self._name, lambda job: {**job, "_children": [*job["_children"], name]})
        together = self._config["ResourceLimits"]["MaxParallelTrainingJobs"]
        run = self._training.create(self._request(name, trial), tuning=tuning, together=together)
        run.finished(self._wake.set)
        return _Child(name, trial, run)

    def _request(self, name: str, trial: Trial) -> Document:
        definition = self._tuning["TrainingJobDefinition"]
        members = model_of("sagemaker").operation_model("CreateTrainingJob").input_shape.members
        request: Document = {
            **{member: value for member, value in definition.items() if member in members},
            "TrainingJobName": name,
            "HyperParameters": {
                **definition.get("StaticHyperParameters", {}),
                **trial.hyperparameters,
                OBJECTIVE_HYPERPARAMETER: self._metric,
            },
            "ResourceConfig": self._resources(definition),
            # "Tags that you specify for the tuning job are also added to all training jobs" it launches.
            "Tags": tags.of(self._aws, self._tuning["HyperParameterTuningJobArn"]),
        }
        if "CheckpointConfig" in definition:
            # One trial must not go on from another's checkpoints.
            config = definition["CheckpointConfig"]
            request["CheckpointConfig"] = {**config, "S3Uri": str(S3Uri.parse(config["S3Uri"]) / name)}
        return request

    def _resources(self, definition: Document) -> Document:
        """What a trial is on. A key for its disk is given for all types together."""
        several = definition.get("HyperParameterTuningResourceConfig", {})
        key = {name: several[name] for name in ("VolumeKmsKeyId",) if name in several}
        return {**instances.choose(definition), **key}

    def _watch(self) -> None:
        """Look at every new value of the objective, and stop the trials that are not worth their time."""
        auto = self._config.get("TrainingJobEarlyStoppingType") == "Auto"
        for child in self._running:
            values = child.run.metrics.values(self._metric)
            for epoch in range(child.reported + 1, len(values) + 1):
                behind = self._search.report(child.trial, epoch, values[epoch - 1])
                if auto and early_stopping.falls_behind(values[:epoch], self._series, self._maximize):
                    behind = True
                if behind:
                    self._stop_child(child)
            child.reported = len(values)

    def _collect(self) -> None:
        """Take in the results of training jobs that have ended."""
        ended = [child for child in self._running if child.run.done.is_set()]
        self._running = [child for child in self._running if not child.run.done.is_set()]
        for child in ended:
            status = self._training.get(child.name)["TrainingJobStatus"]
            values = child.run.metrics.values(self._metric)
            value = values[-1] if values and status != "Failed" else None
            self._search.tell(child.trial, value)
            if value is not None:
                self._series.append(values)
                self._objectives.append(value)
            elif status == "Failed":
                self._failed += 1
            else:
                self._unmeasured += 1

    def _early_verdict(self) -> Verdict | None:
        """Why no more trials should start, although the search would go on."""
        if self._stop.is_set():
            return Verdict("Stopped")
        if early_stopping.reached(
            self._config.get("TuningJobCompletionCriteria", {}), self._objectives, self._maximize
        ):
            return Verdict("Completed")
        if not self._objectives and self._failed + self._unmeasured >= HOPELESS_AFTER:
            return self._hopeless()
        seconds = self._config["ResourceLimits"].get("MaxRuntimeInSeconds")
        age = (self._aws.now() - self._tuning["CreationTime"]).total_seconds()
        if seconds is not None and age >= seconds:
            return Verdict("Completed" if self._objectives else "Stopped")
        return None

    def _final_verdict(self) -> Verdict:
        return Verdict("Completed") if self._objectives else self._hopeless()

    def _hopeless(self) -> Verdict:
        if self._unmeasured:
            return Verdict(
                "Failed",
                f"No objective metrics found after running {self._failed + self._unmeasured} training jobs. "
                "Please ensure that the custom algorithm is emitting the objective metric as defined by the "
                "regular expression provided.",
            )
        return Verdict(
            "Failed",
            f"No training job succeeded after {self._failed} attempts. Please take a look at the training "
            "job failures to get more details.",
        )

    def _stop_children(self) -> None:
        for child in self._running:
            self._stop_child(child)

    def _stop_child(self, child: _Child) -> None:
        if child.stopped:
            return
        child.stopped = True
        try:
            self._training.stop(child.name)
        except ValidationException:
            log.debug("%s ended before it could be stopped", child.name)
