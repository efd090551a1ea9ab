"""`runs/<run>/run.json`: what a run was asked to do, written before its first job starts.

A tuning job cannot carry a recipe, so what follows it (launch-training, register-model) reads it here. The
record also names the request that wrote it, which tells a repeated request from another of the same name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict

from contract import objects
from contract.datasets.manifest import Version
from contract.storage import RUN_RECORD, STOPPED, of_run
from functions.common.clients import client
from functions.common.errors import RunRecordMissing
from functions.common.recipes import recipe

_FORMAT = 1
_LIMIT = 256 * 1024


class DataOfRun(TypedDict):
    """Members of a `RunRecord`."""

    dataset: str
    dataset_version: int
    pictures: str


@dataclass(frozen=True)
class RunRecord:
    """One run. `hyperparameters` are the explicit ones of a training started by hand, empty for a tuning
    job.
    """

    run: str
    kind: str
    """`tuning` or `training`: which kind of job the run began with."""
    request_id: str
    dataset: str
    code_prefix: str
    recipe: recipe.Recipe
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    instance_types: tuple[str, ...] = ()
    """What its jobs may be on, the one that was taken first; empty in the records of older versions."""
    dataset_version: int | None = None
    """Which version of the data set its jobs read; None in the records of older versions."""
    pictures: str = ""
    """The key prefix that the keys of the version's pictures are below; empty where each split is a prefix of
    its own: of packed versions, and in older records.
    """
    scheduled: Mapping[str, float] = field(default_factory=dict)
    """The causes of a run that no person asked for (`contract.retraining`); empty for all others."""

    @property
    def data(self) -> str:
        """The data set with its version, as requests have it: `digits@3`."""
        return f"{self.dataset}@{self.dataset_version}" if self.dataset_version else self.dataset

    def on(self, instance_types: Sequence[str]) -> RunRecord:
        """This run with its next job on the first of these types, and what is left of them after it."""
        first_choice = self.recipe.with_overrides({"resources": {"instance_type": instance_types[0]}})
        return replace(self, recipe=first_choice, instance_types=tuple(instance_types))


def of_version(version: Version) -> DataOfRun:
    """What a record keeps of a data set's version."""
    return {
        "dataset": version.dataset,
        "dataset_version": version.number,
        "pictures": "" if version.packed else version.root,
    }


def key_of(run: str) -> str:
    """Where the record lies in the artifacts bucket."""
    return of_run(run, RUN_RECORD)


def stopped(bucket: str, run: str) -> bool:
    """Whether somebody ended the run with `classifier stop`, after which nothing more is started for it."""
    return objects.read(client("s3"), bucket, of_run(run, STOPPED), _LIMIT) is not None


def write(bucket: str, record: RunRecord) -> None:
    """Put the record; writing the same one again changes nothing."""
    recipe = {"name": record.recipe.name, "tables": record.recipe.tables}
    body = {"format": _FORMAT, **vars(record), "recipe": recipe}
    text = json.dumps(body, indent=2)
    client("s3").put_object(
        Bucket=bucket, Key=key_of(record.run), Body=text.encode(), ContentType="application/json"
    )


def read(bucket: str, run: str) -> RunRecord:
    """The record of a run.

    Raises:
        RunRecordMissing: there is none, so the job was not started by this project's launchers.
    """
    data = objects.read(client("s3"), bucket, key_of(run), _LIMIT)
    if data is None:
        raise RunRecordMissing(
            f"s3://{bucket}/{key_of(run)} is missing: {run} was not started by launch-tuning or "
            "launch-training, or its record was deleted"
        )
    try:
        body = json.loads(data)
        values = {each.name: body[each.name] for each in fields(RunRecord) if each.name in body}
        values["recipe"] = recipe.from_tables(body["recipe"]["name"], body["recipe"]["tables"], key_of(run))
        return RunRecord(**{**values, "instance_types": tuple(body.get("instance_types", ()))})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise RunRecordMissing(
            f"s3://{bucket}/{key_of(run)} is no record of a run: {type(error).__name__}: {error}"
        ) from None
