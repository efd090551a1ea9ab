"""register-model: ECR keeps the image of each version in the registry, and of no other."""

from __future__ import annotations

import pytest

from functions.register_model.handler import handler
from tests.unit.lambda_functions.fakes import AwsFailure, Context, World, package_arn
from tests.unit.lambda_functions.test_register_model import ended, train


def test_the_image_of_a_registered_version_gets_the_tag_that_keeps_it(world: World) -> None:
    handler(ended(train(world)), Context())
    assert world.ecr.tags == {"1": "first", "model-1": "first"}


def test_a_second_event_changes_no_tag(world: World) -> None:
    job = train(world)
    handler(ended(job), Context())
    handler(ended(job, id="e-2"), Context())
    assert world.ecr.tags == {"1": "first", "model-1": "first"}


def test_an_event_that_comes_again_keeps_the_image_the_version_was_registered_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = train(world)
    world.ecr.on["PutImage"], put = _unreachable, world.ecr.on["PutImage"]
    with pytest.raises(Exception, match="ServerException"):
        handler(ended(job), Context())
    world.ecr.on["PutImage"] = put
    world.ecr.tags["2"] = "second"
    monkeypatch.setenv("SERVING_IMAGE", "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:2")
    handler(ended(job), Context())
    assert world.ecr.tags["model-1"] == "first"


def _unreachable(_: object) -> dict[str, object]:
    raise AwsFailure("ServerException", "later", 500)


def test_the_tag_of_a_version_that_is_gone_is_taken_away_and_no_other(world: World) -> None:
    world.ecr.tags |= {"model-7": "first", "seven": "first"}
    handler(ended(train(world)), Context())
    assert set(world.ecr.tags) == {"1", "seven", "model-1"}
    del world.sagemaker.packages[package_arn(1)]
    world.sagemaker.packages[package_arn(2)] = {
        "ModelPackageGroupName": "demo",
        "ModelPackageArn": package_arn(2),
    }
    handler(ended(train(world, "r-2")), Context())
    assert "model-1" not in world.ecr.tags


def test_an_image_with_all_the_tags_it_can_have_is_kept_by_those(world: World) -> None:
    def full(_: object) -> dict[str, object]:
        raise AwsFailure("LimitExceededException", "1000 tags")

    world.ecr.on["PutImage"] = full
    assert handler(ended(train(world)), Context())["approval"] == "Approved"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SERVING_REPOSITORY", ""),
        ("SERVING_IMAGE", "000000000000.dkr.ecr.us-east-1.amazonaws.com/theirs@sha256:" + "0" * 64),
    ],
)
def test_an_image_of_somebody_elses_repository_is_left_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    handler(ended(train(world)), Context())
    assert world.ecr.tags == {"1": "first"}
    assert world.ecr.called("PutImage") == []


def test_a_version_that_the_registry_does_not_list_yet_keeps_its_image(world: World) -> None:
    """A list in AWS may be a moment older than what was made a moment ago."""
    world.sagemaker.on["ListModelPackages"] = lambda _: {"ModelPackageSummaryList": []}
    handler(ended(train(world)), Context())
    assert world.ecr.tags == {"1": "first", "model-1": "first"}


def test_an_image_that_is_gone_is_no_reason_to_register_no_model(world: World) -> None:
    world.ecr.on["BatchGetImage"] = lambda _: {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}
    assert handler(ended(train(world)), Context())["approval"] == "Approved"
    assert world.ecr.called("PutImage") == []


def test_an_image_that_is_named_by_its_digest_is_asked_for_by_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = f"sha256:{'0' * 64}"
    monkeypatch.setenv("SERVING_IMAGE", f"000000000000.dkr.ecr.us-east-1.amazonaws.com/serving@{digest}")
    image = {"imageManifest": "pinned", "imageManifestMediaType": "application/x"}
    world.ecr.on["BatchGetImage"] = lambda asked: {
        "images": [image] if asked["imageIds"] == [{"imageDigest": digest}] else []
    }
    handler(ended(train(world)), Context())
    assert world.ecr.tags["model-1"] == "pinned"


def test_more_tags_than_one_request_takes_are_all_taken_away(world: World) -> None:
    world.ecr.tags |= {f"model-{number}": "first" for number in range(2, 203)}
    handler(ended(train(world)), Context())
    assert set(world.ecr.tags) == {"1", "model-1"}
    assert [len(each["imageIds"]) for each in world.ecr.called("BatchDeleteImage")] == [100, 100, 1]
