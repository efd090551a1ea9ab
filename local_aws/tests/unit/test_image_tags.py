"""A tag is taken from an image, and the image goes with its last one, as in ECR."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from ministack.services import ecr

from local_aws.ministack_adapter import patches


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> str:
    """A repository of its own with one image of two tags."""
    untagging = partial(patches._untag_first, ecr._batch_delete_image)
    monkeypatch.setattr(ecr, "_batch_delete_image", untagging)
    ecr._create_repository({"repositoryName": "tags-test"})
    for tag in ("asset", "model-1"):
        ecr._put_image({"repositoryName": "tags-test", "imageManifest": "{}", "imageTag": tag})
    return "tags-test"


@pytest.fixture(autouse=True)
def gone() -> Any:
    yield
    ecr._delete_repository({"repositoryName": "tags-test", "force": True})


def delete(repository: str, **image_id: str) -> dict[str, Any]:
    _, _, body = ecr._batch_delete_image({"repositoryName": repository, "imageIds": [image_id]})
    answer: dict[str, Any] = json.loads(body)
    return answer


def tags(repository: str) -> list[list[str]]:
    _, _, body = ecr._describe_images({"repositoryName": repository})
    return [each["imageTags"] for each in json.loads(body)["imageDetails"]]


def test_a_tag_goes_and_the_image_stays_with_its_other_one(repository: str) -> None:
    answer = delete(repository, imageTag="model-1")
    assert [each["imageTag"] for each in answer["imageIds"]] == ["model-1"]
    assert answer["failures"] == []
    assert tags(repository) == [["asset"]]


def test_the_image_goes_with_its_last_tag(repository: str) -> None:
    delete(repository, imageTag="model-1")
    delete(repository, imageTag="asset")
    assert tags(repository) == []


def test_a_tag_that_is_not_there_is_a_failure_of_its_own(repository: str) -> None:
    answer = delete(repository, imageTag="model-2")
    assert [each["failureCode"] for each in answer["failures"]] == ["ImageNotFound"]
    assert tags(repository) == [["asset", "model-1"]]
