"""What a person means by a part of a name: a run, one of its jobs, or a version of the registry."""

from __future__ import annotations

from cli import aws, parts
from cli.errors import Ambiguous
from cli.release import champion, registry
from cli.runs.following import NoSuchJob
from cli.runs.history import names_of_runs
from cli.runs.jobs import TRIAL_NAME, Kind, named, newest_attempt
from cli.runs.newest import may_train_nothing
from cli.runs.reader import NoSuchRun
from cli.target import Target
from contract import names

ENDPOINT = "endpoint"
"""What is behind the API, in `status` and `logs`."""
_LONGEST, _LONGEST_VERSION = 63, 6
"""Characters of a job's name at SageMaker, and of a version that anybody gets to."""


def run(target: Target, part: str) -> str:
    """The run whose name, or the name of one of whose jobs, has this part; or that made this version.

    `endpoint` is the run whose model serves or sleeps. A whole name, with or without the project's before it,
    goes before a part.

    Raises:
        Ambiguous: several have it.
        NoSuchRun: none has it.
    """
    if made := _of_endpoint(target) if part == ENDPOINT else _of_version(target, part):
        return made
    if exact := _exact(target, TRIAL_NAME.sub("", part)):
        return exact
    runs = [name for name in names_of_runs(target) if not may_train_nothing(target, name)]
    return parts.one(part, runs, "runs", f"{target.project}-") or _of_job(target, part, runs)


def run_of(job: str) -> str:
    """The run that a job belongs to, a trial of its search too."""
    return names.run_of(TRIAL_NAME.sub("", job))


def training(target: Target, part: str) -> str:
    """The training job of this name, or the last training of the run that a part means (as in `run`).

    Raises:
        Ambiguous: several have it.
        NoSuchRun: none has it.
    """
    sagemaker = target.client("sagemaker")
    if newest_attempt(sagemaker, part) is not None:
        return part
    found = run(target, part)
    final = names.final_of(found)
    return found if newest_attempt(sagemaker, final) is None else final


def job(target: Target, part: str, prefix: str, what: str) -> str:
    """The job whose name begins with `prefix` and has this part.

    Args:
        what: such jobs in a word, as `batches`.

    Raises:
        Ambiguous: several have it.
        NoSuchJob: none has it, and no other job is called so.
    """
    if newest_attempt(target.client("sagemaker"), part) is not None:
        return part  # perhaps of another kind: whoever follows it says so
    candidates = named(target, Kind.TRAINING, prefix)
    if found := parts.one(part, candidates, what):
        return found
    raise NoSuchJob(parts.none(part, candidates, what))


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
    return registry.run_of_package(package)


def _exact(target: Target, name: str) -> str:
    """The run of exactly this name, or of a job of this name; nothing without one."""
    sagemaker, run_name = target.client("sagemaker"), names.run_of(name)
    if not names.JOB.fullmatch(name) or len(name) > _LONGEST:
        return ""
    if aws.found(sagemaker.describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=run_name):
        return run_name
    found = aws.found(sagemaker.describe_training_job, TrainingJobName=names.first_of(name))
    return "" if found is None else names.first_of(name)


def _of_job(target: Target, part: str, runs: list[str]) -> str:
    jobs = [name for name in named(target, Kind.TRAINING, f"{target.project}-") if part in name]
    of = dict.fromkeys(map(run_of, jobs))
    if len(of) == 1:
        return next(iter(of))
    if of:
        raise Ambiguous(parts.several(part, list(of), "runs and other jobs"))
    raise NoSuchRun(f"{parts.none(part, runs, 'runs')} `{target.command('runs')}` lists all.")
