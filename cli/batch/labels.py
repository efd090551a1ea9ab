"""The data set of a batch's model, and whether the batch's pictures have labels of it already."""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import PurePosixPath
from typing import Any

from cli.batch.job import listed, model_of
from cli.release import registry
from cli.release.registry import NoSuchVersion
from cli.target import Target
from contract import storage
from contract.datasets import rules, store
from contract.datasets.manifest import InvalidVersion


def dataset_of(target: Target, job: Mapping[str, Any]) -> str:
    """The data set that the model was trained on; empty where the registry does not say."""
    model = model_of(job)
    try:
        return registry.dataset_of(registry.find(target, model)) if model else ""
    except NoSuchVersion:
        return ""


def known(target: Target, data_bucket: str, job: Mapping[str, Any]) -> bool:
    """Whether each picture is of the data set, or lies in a folder of one of its classes.

    False where that cannot be told, and for whoever may not look.
    """
    from botocore.exceptions import ClientError

    try:
        dataset, pictures = dataset_of(target, job), listed(target, job)
        version = store.newest(target.client("s3"), data_bucket, dataset) if dataset else None
    except (ClientError, store.NoSuchVersion, InvalidVersion):
        return False
    if version is None or pictures is None:
        return False
    uploaded = storage.pictures_of(dataset)
    return all(each.key.startswith(uploaded) or _has_class(each.key, version.classes) for each in pictures)


def _has_class(key: str, classes: Container[str]) -> bool:
    return any(rules.same_text(part) in classes for part in PurePosixPath(key).parts[:-1])
