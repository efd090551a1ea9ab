"""Which run is meant where nobody named one: the newest."""

from __future__ import annotations

from cli import aws
from cli.errors import ExitCode
from cli.runs.jobs import TRIAL_NAME
from cli.runs.reader import NoSuchRun
from cli.target import Target
from contract import names
from contract.jobs import trains


class NothingRunYet(NoSuchRun):
    """No run at all: nobody named one."""

    exit_code = ExitCode.ERROR


def latest_run(target: Target) -> str:
    """The newest run's id: a tuning job, or a training started by hand. Raises NoSuchRun without any."""
    sagemaker = target.client("sagemaker")
    newest = {"NameContains": f"{target.project}-", "SortBy": "CreationTime", "SortOrder": "Descending"}
    tunings = sagemaker.list_hyper_parameter_tuning_jobs(**newest, MaxResults=10)
    trainings = sagemaker.list_training_jobs(**newest, MaxResults=100)
    created = {
        job["HyperParameterTuningJobName"]: job["CreationTime"]
        for job in tunings["HyperParameterTuningJobSummaries"]
    }
    for job in trainings["TrainingJobSummaries"]:
        name = job["TrainingJobName"]
        run = names.run_of(name)
        if not TRIAL_NAME.search(name) and name in (run, names.race_of(run)):
            created.setdefault(run, job["CreationTime"])
    runs = [(when, name) for name, when in created.items() if name.startswith(f"{target.project}-")]
    for _, name in sorted(runs, reverse=True):
        if _may_train(target, name):
            return str(name)
    how = target.command("tune --recipe RECIPE --dataset NAME")
    raise NothingRunYet(f"Nothing has been run yet. Start with `{how}`.")


def may_train_nothing(target: Target, name: str) -> bool:
    """Whether its name may be that of a batch, or of a job of the doctor's."""
    return name.startswith((names.doctor_jobs(target.project), names.batch_jobs(target.project)))


def _may_train(target: Target, name: str) -> bool:
    """Whether it is no job that trains nothing; AWS is asked of those only whose name may be one's."""
    if not may_train_nothing(target, name):
        return True
    job = aws.found(target.client("sagemaker").describe_training_job, TrainingJobName=name)
    return job is None or trains(job)
