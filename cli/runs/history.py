"""The project's runs, newest first, with what each was, led to, took and cost."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from cli import aws
from cli.cost import spending
from cli.release import registry
from cli.runs import record
from cli.runs.jobs import TRIAL_NAME, Kind, newest_attempt, search_of
from cli.runs.pipeline_run import PipelineRun
from cli.runs.reader import NoSuchRun, RunReader, read_serving
from cli.target import Target
from contract import names
from contract.jobs import trains

MOST: Final = 200
"""So many runs, the newest, are looked at where the newest alone would not do."""
_AT_ONCE: Final = 8
_NEWEST, _ENOUGH = 40, 5
"""Among so many of the newest runs, so many are looked for that are like another."""
_WORK: Final = (
    *(("model", "arch"), ("data", "image_size"), ("data", "train_fraction"), ("training", "epochs")),
    *(("final", "epochs"), ("tuning", "max_jobs"), ("tuning", "parallel_jobs")),
)
"""What of a recipe makes a run longer or shorter."""


@dataclass(frozen=True)
class Past:
    """A run, and what it took so far."""

    run: PipelineRun
    recipe: str
    seconds: float
    """From its first job's start to its last one's end, or to now."""
    usd: float | None
    """What its jobs are billed on AWS; None where a price is not known."""

    @property
    def kind(self) -> str:
        """`tuning` or `training`."""
        return "training" if self.run.tuning is None else "tuning"

    def row(self) -> dict[str, Any]:
        """The run for a listing."""
        run = self.run
        first = run.tuning or run.training
        return {
            "name": run.name,
            "outcome": run.outcome,
            "accuracy": run.test_accuracy,
            "recipe": self.recipe,
            "dataset": run.data,
            "version": int(run.package.version) if run.package and run.package.version.isdigit() else None,
            "created": first.created.astimezone(UTC).isoformat(timespec="seconds") if first else None,
            "seconds": round(self.seconds, 1),
            "usd": None if self.usd is None else round(self.usd, 4),
            "scheduled": dict(run.scheduled),
        }


def names_of_runs(target: Target) -> list[str]:
    """The names of all runs, the newest first."""
    sagemaker, prefix = target.client("sagemaker"), f"{target.project}-"
    found: dict[str, datetime] = {}
    for kind in Kind:
        operation, summaries, name_key = kind.value
        newest = {"NameContains": prefix, "SortBy": "CreationTime", "SortOrder": "Descending"}
        for job in aws.listed(sagemaker, operation, summaries, **newest):
            name = str(job[name_key])
            run = names.run_of(name)
            ours = name.startswith(prefix) and not TRIAL_NAME.search(name)
            if ours and (kind is Kind.TUNING or name in (run, names.race_of(run))):
                found[run if kind is Kind.TRAINING else name] = job["CreationTime"]
    return sorted(found, key=lambda name: found[name], reverse=True)


def read(target: Target, most: int) -> list[Past]:
    """The newest runs, of which the doctor's jobs are none."""
    known = _Known(target)
    chosen = names_of_runs(target)
    found: list[Past] = []
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        while chosen and len(found) < most:
            more, chosen = chosen[: most - len(found)], chosen[most - len(found) :]
            found += [past for past in threads.map(known.read, more) if past is not None]
    return found


def _machine(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a search's trials are on; of several types the first, which AWS takes while it has any."""
    several = definition.get("HyperParameterTuningResourceConfig", {}).get("InstanceConfigs", [])
    machine: Mapping[str, Any] = definition.get("ResourceConfig") or next(iter(several), {})
    return machine


@dataclass(frozen=True)
class Trained:
    """A run that led to a trained model, what that took and what its jobs are billed."""

    name: str
    seconds: float
    usd: float | None
    last: float
    """Of the seconds, those of its last training."""


def like(
    target: Target, recipe: str, dataset: str, kind: str, tables: Mapping[str, Any] | None = None
) -> list[Trained]:
    """The newest few runs of a recipe on a data set, of one kind, that led to a trained model.

    Args:
        tables: the recipe's, with what is overridden; runs with as much work to do are meant.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        newest = names_of_runs(target)[:_NEWEST]
        records = list(threads.map(lambda name: record.of(target, name), newest))
        wanted = (recipe, dataset, kind)
        alike = [
            name
            for name, each in zip(newest, records, strict=True)
            if record.described(each) == wanted and _as_much(tables or {}, record.tables_of(each))
        ]
        found = threads.map(lambda name: _trained(target, name), alike[:_ENOUGH])
        return [each for each in found if each is not None]


def _as_much(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two recipes have as much work to do, as far as both say."""
    both = [(_value(one, *key), _value(other, *key)) for key in _WORK]
    return all(here == there for here, there in both if here is not None and there is not None)


def _value(tables: Mapping[str, Any], table: str, key: str) -> Any:
    found = tables.get(table)
    return found.get(key) if isinstance(found, dict) else None


def _trained(target: Target, name: str) -> Trained | None:
    sagemaker = target.client("sagemaker")
    search = search_of(sagemaker, name)
    training = newest_attempt(sagemaker, names.final_of(name) if search else name)
    if training is None or training["TrainingJobStatus"] != "Completed" or "TrainingEndTime" not in training:
        return None
    begun = search[0]["CreationTime"] if search else training["CreationTime"]
    ended = training["TrainingEndTime"]
    seconds, last = ((ended - since).total_seconds() for since in (begun, training["CreationTime"]))
    return Trained(name, seconds, _usd(search, training), last)


class _Known:
    """What is asked once for all runs: what serves, and which package each training led to."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._serving = read_serving(target)
        self._packages = {
            package.get("CustomerMetadataProperties", {}).get("training_job", ""): package["ModelPackageArn"]
            for package in registry.packages(target)
        }

    def read(self, name: str) -> Past | None:
        """The run of that name; None of a job that trains nothing, or is gone meanwhile."""
        sagemaker = self._target.client("sagemaker")
        search = search_of(sagemaker, name)
        training = newest_attempt(sagemaker, names.final_of(name) if search else name)
        if training is not None and not trains(training):
            return None
        try:
            run = RunReader(self._target, name, listed=(self._serving, self._packages)).read()
        except NoSuchRun:
            return None
        written = record.of(self._target, name)
        run = replace(run, scheduled=record.scheduled_of(written))
        return Past(run, record.recipe_of(written), took(run), _usd(search, training))


def took(run: PipelineRun) -> float:
    """From the first job's start to the last one's end, or to now."""
    jobs = [job for job in (run.tuning, run.training) if job is not None]
    end = max(job.ended or run.read_at for job in jobs)
    return (end - min(job.created for job in jobs)).total_seconds()


def _usd(
    search: tuple[dict[str, Any], list[dict[str, Any]]] | None, training: dict[str, Any] | None
) -> float | None:
    """What the trials and the last training are billed, by the price table."""
    now = datetime.now(UTC)
    described = [] if training is None else [training]
    if search is not None:
        machine = _machine(search[0].get("TrainingJobDefinition", {}))
        described += [{**item, "ResourceConfig": machine} for item in search[1]]
    billed = [spending.of_job({"ResourceConfig": {}, **each}, now).usd for each in described]
    return None if None in billed else sum(usd or 0.0 for usd in billed)
