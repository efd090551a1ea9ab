"""`classifier stop`: ending all of a run, wherever on its way it is.

Of a run that is over nothing is changed. Else a mark is written beside the run's record, which the launchers
look for before they start what follows: so a search that ends in the very moment it is stopped leads to no
final training. Then its jobs are stopped, and a model that waits for approval, or is compared with the
champion, is rejected. A model that serves is left: that is `rollback` and `sleep`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

import click

from cli.choice import command
from cli.commands.completion import runs
from cli.commands.options import nothing_asked_option, with_target
from cli.console import say
from cli.errors import BadArgument
from cli.release import champion, registry
from cli.runs import find, history
from cli.runs.jobs import RUNNING
from cli.runs.pipeline_run import PipelineRun
from cli.runs.reader import RunReader
from cli.stacks import outputs
from cli.target import Target
from contract import storage

_NEWEST: Final = 20
"""So many runs are looked at where none is named."""


class NoRunNamed(BadArgument):
    """No run was named; the message says which could be."""


@click.command()
@with_target
@click.argument("run", metavar="RUN", required=False, shell_complete=runs)
@click.option("--reason", default="asked for with classifier stop", show_default=True, help="For the record.")
@nothing_asked_option
def stop(target: Target, run: str | None, reason: str) -> None:
    """End all of a RUN: race, search, trainings, and what would follow. A model that serves stays.

    A part of the name does, if no other run has it. Without RUN it says which there are, and ends none.
    """
    if run is None:
        raise NoRunNamed(_which(target))
    for line in stop_run(target, find.run(target, run), reason):
        say(line)


def stop_run(target: Target, name: str, why: str) -> list[str]:
    """Stops everything of a run; returns what was done, a line each. Of one that is over nothing is changed.

    Raises:
        NoSuchRun: there is none.
    """
    reader = RunReader(target, name)
    run = reader.read()
    if run.over:
        return _of_the_champion(target, run) or [_nothing_runs(run)]
    _mark(target, run.name, why)
    # Read again: what was started before the mark was there is seen now, what comes later sees the mark.
    run = reader.read()
    done = _of_the_champion(target, run) or [*_stop_jobs(target, run), *_stop_package(target, run, why)]
    return done or [f"{run.name} was between two jobs, and is stopped: {why}."]


def _which(target: Target) -> str:
    """Which of the newest runs could be meant, each with what to type."""
    listing = target.command("runs")
    newest = (past.run for past in history.read(target, _NEWEST))
    going_on = [run for run in newest if not run.over and run.outcome != "failed"]
    if not going_on:
        return f"Name the run to stop. None of the newest {_NEWEST} is running; `{listing}` lists them."
    lines = [f"  {target.command(f'stop {run.name}')}    ({run.outcome})" for run in going_on]
    return "\n".join(["Name the run to stop. These are not over:", *lines])


def _nothing_runs(run: PipelineRun) -> str:
    if run.outcome == "running" and run.package is not None:
        return (
            f"Nothing was changed: version {run.package.version} is approved and on its way into service. "
            f"When it serves, `{command('rollback', run.option)}` returns to the one before."
        )
    reason = f": {run.reason}" if run.reason else ""
    return f"Nothing of {run.name} is running, and nothing was changed. It is {run.outcome}{reason}."


def _mark(target: Target, name: str, why: str) -> None:
    body = {"stopped": datetime.now(UTC).isoformat(timespec="seconds"), "why": why}
    target.client("s3").put_object(
        Bucket=outputs(target, "storage")["ArtifactsBucket"],
        Key=storage.of_run(name, storage.STOPPED),
        Body=json.dumps(body).encode(),
        ContentType="application/json",
    )


def _stop_jobs(target: Target, run: PipelineRun) -> list[str]:
    sagemaker, done = target.client("sagemaker"), []
    if run.race is not None and run.race.status in RUNNING:
        sagemaker.stop_training_job(TrainingJobName=run.race.name)
        done.append(f"Stopping the race {run.race.name}.")
    if run.tuning is not None and run.tuning.status in RUNNING:
        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=run.tuning.name)
        done.append(f"Stopping the tuning job {run.tuning.name} and its trials.")
    if run.training is not None and run.training.status in RUNNING:
        sagemaker.stop_training_job(TrainingJobName=run.training.name)
        done.append(f"Stopping the training job {run.training.name}.")
    return done


def _of_the_champion(target: Target, run: PipelineRun) -> list[str]:
    """What to do instead, where the run's model serves or sleeps."""
    package = run.package
    if package is None or champion.read(target).model != package.arn:
        return []
    return [
        f"Version {package.version} is the champion and stays. To return to the one before: "
        f"{target.command('rollback')}; to take the endpoint away: {target.command('sleep')}"
    ]


def _stop_package(target: Target, run: PipelineRun, why: str) -> list[str]:
    package = run.package
    if package is None:
        return []
    compared = run.serving.candidate is not None and run.serving.candidate.package == package.arn
    if compared:
        registry.write_approval(target, package.arn, "Rejected", f"stopped: {why}")
        return [f"Version {package.version} was compared with the champion, which ends; it is rejected."]
    if package.approval != "PendingManualApproval":
        return []
    registry.write_approval(target, package.arn, "Rejected", f"stopped: {why}")
    return [f"Version {package.version} waited for approval and is rejected."]
