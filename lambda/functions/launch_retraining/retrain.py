"""Start a new search where one is due, and tell what was started, why, and the most it can cost.

Main path: what of the champion's data set is new since it, or a search of these, was trained; is that enough,
or did drift ring; does a run go on already; what could it cost, and is that left of the month; write it into
the book; have launch-tuning start it. Its name is made of the champion and the data set's version, so looking
twice starts one. What becomes of the model, the gate and the approval decide as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from contract.datasets import store
from contract.datasets.manifest import InvalidVersion, Version
from contract.environment import RetrainEnvironment
from contract.names import NO_CHAMPION
from contract.retraining import CORRECTIONS, DRIFT, in_words
from functions.common import champion, logs
from functions.common.clients import client, describe
from functions.common.errors import InvalidDataset, JobExists, RunRecordMissing, UnknownDataset, UserError
from functions.common.launching import names, runs
from functions.launch_retraining import book, corrections, running, search, telling
from functions.launch_retraining.book import Book, ChangedMeanwhile, Entry


@dataclass(frozen=True)
class _Champion:
    """What the next model is to be better than."""

    package: str
    recipe: str
    dataset: str
    trained_on: int
    """The number of the data set's version; 0 where nobody knows."""


def retrain(drift: float | None, request_id: str, env: RetrainEnvironment) -> dict[str, Any]:
    """Look once; returns what was seen, what was started, or why it was not.

    Args:
        drift: the index that rang; None where nothing did.
    """
    written = book.read(env.artifacts_bucket)
    try:
        if written.pending is not None:  # whoever counted it died before it was known to be started
            return _start(written.pending, written, request_id, env)
        return _look(drift, written, request_id, env)
    except ChangedMeanwhile as error:
        return _saw(str(error))


def _look(drift: float | None, written: Book, request_id: str, env: RetrainEnvironment) -> dict[str, Any]:
    serving = _champion(env)
    if serving is None:
        return _saw("no champion whose training is known")
    entry = _empty_entry(serving, env)
    since = max(serving.trained_on, written.newest_of(serving.dataset))
    try:
        newest = _newest(serving.dataset, env)
        found = corrections.count(client("s3"), env.data_bucket, newest, since) if env.corrections else 0
    except InvalidVersion as error:
        return _refused(InvalidDataset(str(error)), entry, written, request_id, env)
    except UnknownDataset as error:
        return _refused(error, entry, written, request_id, env)
    scheduled = {CORRECTIONS: float(found)} if found and found >= env.corrections else {}
    scheduled |= {} if drift is None else {DRIFT: drift}
    if not scheduled:
        return _saw(f"{found} of {env.corrections} corrections")
    # The same models would come of the same champion, recipe and pictures.
    run = names.from_request(env.project, entry.recipe, f"{serving.package} {entry.recipe} {newest.name}")
    entry = replace(entry, run=run, dataset=newest.name, scheduled=scheduled)
    logs.bind(run=run)
    if written.of(run) is not None:
        return _saw(f"{run} was started before")
    if busy := running.any_of(env.project):
        return _saw(f"{busy} is running")
    try:
        most_usd = search.most_usd(entry, env.max_cost_usd_month - written.spent(entry.month), env)
    except UserError as error:
        return _refused(error, entry, written, request_id, env)
    entry = replace(entry, most_usd=most_usd)
    return _start(entry, book.write(env.artifacts_bucket, written.having(entry)), request_id, env)


def _newest(dataset: str, env: RetrainEnvironment) -> Version:
    """The newest version of the champion's data set.

    Raises:
        UnknownDataset: there is none any more.
        InvalidVersion: its files are not what this project writes.
    """
    try:
        found = store.newest(client("s3"), env.data_bucket, dataset)
    except store.NoSuchVersion as error:
        raise UnknownDataset(str(error)) from None
    if found is None:
        raise UnknownDataset(f'the data set "{dataset}", which the champion was trained on, is gone')
    return found


def _champion(env: RetrainEnvironment) -> _Champion | None:
    """The model that serves or sleeps; None where there is none, or one that this project did not train."""
    package = champion.current(env.champion_parameter).model
    if package == NO_CHAMPION:
        return None
    found = describe(client("sagemaker").describe_model_package, ModelPackageName=package) or {}
    facts = found.get("CustomerMetadataProperties", {})
    if not facts.get("dataset") or not facts.get("recipe"):
        return None
    try:
        record = runs.read(env.artifacts_bucket, facts.get("run", ""))
        trained_on = record.dataset_version or 0
    except RunRecordMissing as error:
        logs.info("nobody knows what the champion was trained on", reason=str(error))
        trained_on = 0
    return _Champion(package, facts["recipe"], facts["dataset"], trained_on)


def _empty_entry(serving: _Champion, env: RetrainEnvironment) -> Entry:
    return Entry(
        run="",
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        champion=serving.package,
        recipe=env.recipe or serving.recipe,
        dataset=serving.dataset,
        scheduled={},
        most_usd=0.0,
    )


def _start(entry: Entry, written: Book, request_id: str, env: RetrainEnvironment) -> dict[str, Any]:
    """Have launch-tuning start what is in the book already, or find it started."""
    logs.bind(run=entry.run)
    try:
        search.start(entry, env)
    except JobExists:
        logs.info("it was started before")
    except UserError as error:
        written = book.write(env.artifacts_bucket, written.without(entry.run))
        return _refused(error, entry, written, request_id, env)
    telling.started(entry, written, request_id, env)
    book.write(env.artifacts_bucket, written.having(replace(entry, started=True)))
    return {"started": entry.run, "why": in_words(entry.scheduled), "most_usd": entry.most_usd}


def _refused(
    error: UserError, entry: Entry, written: Book, request_id: str, env: RetrainEnvironment
) -> dict[str, Any]:
    telling.refused(error, entry, written, request_id, env)
    return {"refused": error.code, "why": str(error)}


def _saw(what: str) -> dict[str, Any]:
    logs.info("looked", saw=what)
    return {"saw": what}
