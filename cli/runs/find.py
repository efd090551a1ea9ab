"""What a person means by a part of a name: a run, one of its jobs, or a version of the registry."""

from __future__ import annotations

from cli import aws
from cli.errors import Ambiguous
from cli.release import champion, registry
from cli.runs.history import names_of_runs
from cli.runs.jobs import Kind, named
from cli.runs.reader import TRIAL_NAME, NoSuchRun
from cli.target import Target
from contract import names
from contract.words import did_you_mean, listed

ENDPOINT = "endpoint"
"""What is behind the API, in `status` and `logs`."""
_MOST_SHOWN = 10
_LONGEST, _LONGEST_VERSION = 63, 6
"""Characters of a job's name at SageMaker, and of a version that anybody gets to."""


def run(target: Target, part: str) -> str:
    """The run whose name, or the name of one of whose jobs, has this part; or that made this version.

    `endpoint` is the run whose model serves or sleeps.

    Raises:
        Ambiguous: several have it.
        NoSuchRun: none has it.
    """
    if made := _of_endpoint(target) if part == ENDPOINT else _of_version(target, part):
        return made
    if exact := _exact(target, TRIAL_NAME.sub("", part)):
        return exact
    runs = names_of_runs(target)
    return one(part, [each for each in runs if part in each]) or _of_job(target, part, runs)


def _of_endpoint(target: Target) -> str:
    """The run whose model serves or sleeps; nothing without a champion."""
    model = champion.read(target).model
    return "" if model == names.NO_CHAMPION else _of_version(target, names.version_of(model))


def _of_version(target: Target, part: str) -> str:
    """The run that made this version; nothing where there is none, for a part of a name may be digits."""
    if not part.isdigit() or len(part) > _LONGEST_VERSION:
        return ""
    try:
        package = registry.find(target, part)
    except registry.NoSuchVersion:
        return ""
    return names.run_of(package.get("CustomerMetadataProperties", {}).get("training_job", ""))


def _exact(target: Target, name: str) -> str:
    """The run of exactly this name, or of a job of this name; nothing without one."""
    sagemaker, run_name = target.client("sagemaker"), names.run_of(name)
    if not names.JOB.fullmatch(name) or len(name) > _LONGEST:
        return ""
    if aws.found(sagemaker.describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=run_name):
        return run_name
    found = aws.found(sagemaker.describe_training_job, TrainingJobName=names.first_of(name))
    return "" if found is None else names.first_of(name)


def one(part: str, candidates: list[str], what: str = "runs") -> str:
    """The only candidate; nothing of none. Raises Ambiguous with the list of several."""
    if len(candidates) > 1:
        shown = "".join(f"\n  {each}" for each in candidates[:_MOST_SHOWN])
        more = f"\n  and {len(candidates) - _MOST_SHOWN} more" if len(candidates) > _MOST_SHOWN else ""
        raise Ambiguous(f"{part!r} is in the names of {len(candidates)} {what}. Name one:{shown}{more}")
    return candidates[0] if candidates else ""


def _of_job(target: Target, part: str, runs: list[str]) -> str:
    jobs = [job for job in named(target, Kind.TRAINING, f"{target.project}-") if part in job]
    of = dict.fromkeys(names.run_of(TRIAL_NAME.sub("", job)) for job in jobs)
    if found := one(part, list(of)):
        return found
    shown = f" The newest are: {listed(runs)}." if runs else ""
    raise NoSuchRun(
        f"There is no run with {part!r} in its name.{did_you_mean(part, runs)}{shown} "
        f"`classifier runs{target.option}` lists all."
    )
