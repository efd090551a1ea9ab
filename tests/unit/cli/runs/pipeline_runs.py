"""Runs at every stage of their way, for the tests that judge and draw them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.runs.pipeline_run import PipelineRun
from cli.runs.state import Package, Serving, Training, Trial, Tuning
from contract.decisions import Decision, Outcome, Reason

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
GROUP = "arn:aws:sagemaker:us-east-1:000000000000:model-package/classifier"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


TRIALS = (
    Trial("classifier-d-1-001-aa", "Completed", {"learning_rate": "0.01", "batch_size": "32"}, 0.91),
    Trial("classifier-d-1-002-bb", "Completed", {"learning_rate": "0.1", "batch_size": "16"}, 0.97),
    Trial(
        "classifier-d-1-003-cc",
        "Failed",
        {"learning_rate": "5", "batch_size": "16"},
        0.99,
        "AlgorithmError: the loss is nan",
    ),
)
TUNING = Tuning("classifier-d-1", "Completed", "", "valid_accuracy", "Maximize", 3, at(0), at(30), TRIALS)
EPOCHS = (
    {"epoch": 1.0, "train_loss": 0.7, "valid_accuracy": 0.9},
    {"epoch": 2.0, "train_loss": 0.3, "valid_accuracy": 0.97},
)
TRAINING = Training(
    "classifier-d-1-final", "Completed", "Completed", "", at(31), at(60), EPOCHS, {"test_accuracy": 0.9704}
)
PACKAGE = Package(f"{GROUP}/3", "Approved", Reason(Outcome.BY_HAND), "better than version 2", at(62))
SERVING = Serving("UPDATE_COMPLETE", Decision(3, f"{GROUP}/3", ""), f"{GROUP}/3", "InService")
BEFORE = Serving("UPDATE_COMPLETE", Decision(2, f"{GROUP}/2", ""), f"{GROUP}/2", "InService")
DONE = PipelineRun("classifier", "classifier-d-1", TUNING, TRAINING, PACKAGE, SERVING, at(90))


def pipeline_run(**changes: Any) -> PipelineRun:
    """The finished run, with changes."""
    return replace(DONE, **changes)


def searching() -> PipelineRun:
    """A run in its search: one trial done, one running."""
    running = (TRIALS[0], replace(TRIALS[1], status="InProgress", objective=None))
    tuning = replace(TUNING, status="InProgress", ended=None, trials=running)
    return pipeline_run(tuning=tuning, training=None, package=None, serving=BEFORE, read_at=at(20))
