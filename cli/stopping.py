"""Ending all of a run, wherever on its way it is.

First a mark is written beside the run's record, which the launchers look for before they start what follows:
so a search that ends in the very moment it is stopped leads to no final training. Then its jobs are stopped,
and a model that waits for approval is rejected. A model that serves is left: that is `rollback` and `sleep`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from cli import champion, decisions
from cli.chain import Chain
from cli.chain_reader import ChainReader
from cli.stacks import outputs
from cli.target import Target
from contract import storage

_RUNNING = ("InProgress", "Stopping")


def stop(target: Target, run: str, why: str) -> list[str]:
    """Stops everything of a run; returns what was done, a line each.

    Raises:
        NoSuchRun: there is none of that name.
    """
    reader = ChainReader(target, run)
    run = reader.read().run
    _mark(target, run, why)
    # Read again: what was started before the mark was there is seen now, what comes later sees the mark.
    chain = reader.read()
    done = [*_stop_jobs(target, chain), *_stop_package(target, chain, why)]
    return done or [f"Nothing of {run} is running: it is {chain.outcome}."]


def _mark(target: Target, run: str, why: str) -> None:
    body = {"stopped": datetime.now(UTC).isoformat(timespec="seconds"), "why": why}
    target.client("s3").put_object(
        Bucket=outputs(target, "storage")["ArtifactsBucket"],
        Key=storage.of_run(run, storage.STOPPED),
        Body=json.dumps(body).encode(),
        ContentType="application/json",
    )


def _stop_jobs(target: Target, chain: Chain) -> list[str]:
    sagemaker, done = target.client("sagemaker"), []
    if chain.tuning is not None and chain.tuning.status in _RUNNING:
        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=chain.tuning.name)
        done.append(f"Stopping the tuning job {chain.tuning.name} and its trials.")
    if chain.training is not None and chain.training.status in _RUNNING:
        sagemaker.stop_training_job(TrainingJobName=chain.training.name)
        done.append(f"Stopping the training job {chain.training.name}.")
    return done


def _stop_package(target: Target, chain: Chain, why: str) -> list[str]:
    package = chain.package
    if package is None:
        return []
    if champion.read(target).model == package.arn:
        return [
            f"Version {package.version} is the champion and stays. To return to the one before: classifier "
            f"rollback{target.option}; to take the endpoint away: classifier sleep{target.option}"
        ]
    if package.approval != "PendingManualApproval":
        return []
    target.client("sagemaker").update_model_package(
        ModelPackageArn=package.arn,
        ModelApprovalStatus="Rejected",
        ApprovalDescription=decisions.in_words(f"stopped: {why}"),
    )
    return [f"Version {package.version} waited for approval and is rejected."]
