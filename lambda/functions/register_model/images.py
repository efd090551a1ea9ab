"""The serving images that the registry needs, told to ECR by tags: one for each version that runs in one.

ECR's lifecycle rules know tags and ages, and nothing of the registry. An image with such a tag is kept for
good; the tag goes when its version has gone from the registry, and the image then with its age.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from contract.aws_errors import code_of
from contract.environment import RegisterEnvironment
from contract.names import version_of
from functions.common import logs
from functions.common.clients import client

_AT_ONCE = 100
"""Image ids in one request: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html"""


def agree(package_arn: str, env: RegisterEnvironment) -> None:
    """Tag the image of a version, and take away the tags of versions that are gone.

    Said twice it changes nothing. Without a repository of the project's own there is nothing to keep.
    """
    if not env.serving_repository:
        return
    _keep(client("sagemaker").describe_model_package(ModelPackageName=package_arn), env)
    _let_go(package_arn, env)


def _keep(package: Mapping[str, Any], env: RegisterEnvironment) -> None:
    image = package["InferenceSpecification"]["Containers"][0]["Image"]
    repository, image_id = _parts(image)
    if repository != env.serving_repository:
        return
    found = client("ecr").batch_get_image(repositoryName=repository, imageIds=[image_id])["images"]
    if not found:
        logs.warning("the image of a registered model is gone", image=image)
        return
    tag = f"{env.image_tag_prefix}{version_of(package['ModelPackageArn'])}"
    try:
        client("ecr").put_image(
            repositoryName=repository,
            imageManifest=found[0]["imageManifest"],
            imageManifestMediaType=found[0]["imageManifestMediaType"],
            imageTag=tag,
        )
    except Exception as error:
        # It has the tag already; or a thousand of them, each of which keeps it.
        if code_of(error) not in ("ImageAlreadyExistsException", "LimitExceededException"):
            raise


def _let_go(package_arn: str, env: RegisterEnvironment) -> None:
    repository, prefix = env.serving_repository, env.image_tag_prefix
    # The tags first: one that is put meanwhile is of a version that was registered before it.
    tags = [tag for tag in _tags(repository) if tag.startswith(prefix)]
    pages = (
        client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(ModelPackageGroupName=env.model_package_group)
    )
    registered = {
        version_of(each["ModelPackageArn"]) for page in pages for each in page["ModelPackageSummaryList"]
    }
    registered.add(version_of(package_arn))  # made a moment ago: the list may not have it yet
    gone = [tag for tag in tags if tag.removeprefix(prefix) not in registered]
    for start in range(0, len(gone), _AT_ONCE):
        ids = [{"imageTag": tag} for tag in gone[start : start + _AT_ONCE]]
        client("ecr").batch_delete_image(repositoryName=repository, imageIds=ids)
    if gone:
        logs.info("images of models that are gone are no longer kept", tags=gone)


def _tags(repository: str) -> Iterator[str]:
    for page in client("ecr").get_paginator("describe_images").paginate(repositoryName=repository):
        for image in page["imageDetails"]:
            yield from image.get("imageTags", [])


def _parts(image: str) -> tuple[str, dict[str, str]]:
    """`<registry>/<name>:<tag>` or `<registry>/<name>@<digest>`: the name, and the image's id for ECR."""
    path = image.partition("/")[2]
    name, _, digest = path.partition("@")
    if digest:
        return name, {"imageDigest": digest}
    name, _, tag = name.partition(":")
    return name, {"imageTag": tag}
