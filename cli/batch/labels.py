"""The data set of a batch's model, and whether the batch's pictures have labels of it already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from cli.batch.job import listed, model_of
from cli.release import registry
from cli.release.registry import NoSuchVersion
from cli.target import Target
from contract.datasets import rules, store


def dataset_of(target: Target, job: Mapping[str, Any]) -> str:
    """The data set that the model was trained on; empty where the registry does not say."""
    model = model_of(job)
    try:
        return registry.dataset_of(registry.find(target, model)) if model else ""
    except NoSuchVersion:
        return ""


def known(target: Target, data_bucket: str, job: Mapping[str, Any]) -> bool:
    """Whether each picture lies in a folder of one of the model's classes; False where nobody knows."""
    dataset, pictures = dataset_of(target, job), listed(target, job)
    version = store.newest(target.client("s3"), data_bucket, dataset) if dataset else None
    if version is None or pictures is None:
        return False
    return all(
        any(rules.same_text(part) in version.classes for part in PurePosixPath(each.key).parts[:-1])
        for each in pictures
    )
