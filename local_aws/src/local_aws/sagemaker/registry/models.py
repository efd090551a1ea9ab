"""Models: an image, an artifact and an environment under one name, and the role they run as.

A model is checked when it is made, as on AWS: the caller may pass the role, the image exists, the role can
read the artifact, and a model package it comes from is Approved. What it resolves to (`Container`) is stored
with it, so an endpoint never has to ask again, even when the package is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException
from local_aws.images.store import DOCKER_MANIFEST
from local_aws.sagemaker.registry import model_data, model_packages
from local_aws.sagemaker.resources import Listing, Resources

# Where a stored model keeps its `Container`; output shapes know no such member, so no client ever sees it.
RESOLVED = "ResolvedContainer"
_MODELS = Resources(kind="model", prefix="Model", noun="model", listing=Listing.of("Model"))


@dataclass(frozen=True)
class Container:
    """What a server process needs to know of a model."""

    image: str
    model_data_url: str | None = None
    archive: bool = True
    """Whether the URL names one gzipped tar (else: all objects below it, as they are)."""
    environment: Mapping[str, str] = field(default_factory=dict)


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer the operations on models."""
    _MODELS.register(svc, aws)

    @svc.operation("CreateModel")
    def create(request: Request) -> Response:
        arn = aws.arn(f"model/{request['ModelName']}")
        role = request.get("ExecutionRoleArn")
        definition = _only_container(request)
        if role is not None:
            aws.check_pass_role(role)
        container = resolve(aws, definition)
        _check(aws, container, role)
        record = {**request, "ModelArn": arn, "CreationTime": aws.now(), RESOLVED: asdict(container)}

        def create_and_tell() -> None:
            _MODELS.create(aws, record, request)
            _announce(aws, record)

        aws.atomically(create_and_tell)
        return {"ModelArn": arn}

    @svc.operation("DeleteModel")
    def delete(request: Request) -> Response:
        record = find(aws, request["ModelName"])

        def delete_and_tell() -> None:
            _MODELS.delete(aws, record)
            _announce(aws, record)

        aws.atomically(delete_and_tell)
        return {}


def find(aws: LocalAws, name: str) -> dict[str, Any]:
    """The stored model. Raises SageMaker's "Could not find model"."""
    return _MODELS.find(aws, name)


def container(record: Mapping[str, Any]) -> Container:
    """What a stored model runs."""
    return Container(**record[RESOLVED])


def resolve(aws: LocalAws, definition: Mapping[str, Any]) -> Container:
    """Bring a ContainerDefinition down to image, artifact and environment.

    A package gives what it has; the definition's own environment wins over the package's, as on AWS. Raises
    ValidationException for a package that is not Approved and for a definition without an image.
    """
    if package_name := definition.get("ModelPackageName"):
        package = model_packages.find(aws, package_name)
        _must_be_approved(package)
        inner = resolve(aws, package["InferenceSpecification"]["Containers"][0])
        environment = {**inner.environment, **definition.get("Environment", {})}
        return Container(inner.image, inner.model_data_url, inner.archive, environment)
    if "Image" not in definition:
        raise ValidationException("Either Image or ModelPackageName must be given for a container.")
    url, archive = _artifact(definition)
    return Container(definition["Image"], url, archive, definition.get("Environment", {}))


def _artifact(definition: Mapping[str, Any]) -> tuple[str | None, bool]:
    source = definition.get("ModelDataSource", {}).get("S3DataSource")
    if source is None:
        return definition.get("ModelDataUrl"), True
    if "ModelDataUrl" in definition:
        raise ValidationException(
            "ModelDataUrl and ModelDataSource cannot both be specified for a container."
        )
    return source["S3Uri"], source["CompressionType"] == "Gzip"


def _only_container(request: Request) -> dict[str, Any]:
    """The one container of a model: pipelines and multi-model servers are not part of the local AWS."""
    containers = [*request.get("Containers", [])]
    if primary := request.get("PrimaryContainer"):
        containers.append(primary)
    if not containers or (primary and len(containers) > 1):
        raise ValidationException("Either PrimaryContainer or Containers must be specified, and not both.")
    if len(containers) > 1:
        raise ValidationException(
            f"The local AWS runs models of one container; this one has {len(containers)}. Merge the steps of "
            "the inference pipeline into one image."
        )
    definition: dict[str, Any] = containers[0]
    if definition.get("Mode", "SingleModel") != "SingleModel":
        raise ValidationException("The local AWS runs containers of Mode SingleModel only.")
    return definition


def _must_be_approved(package: Mapping[str, Any]) -> None:
    status = package.get("ModelApprovalStatus")
    if status is not None and status != "Approved":
        # "For versioned models, the value of this parameter must be set to Approved to deploy the model."
        # https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModelPackage.html
        raise ValidationException(
            f"Cannot create a model from model package {package['ModelPackageArn']}: its ModelApprovalStatus "
            f"is {status}, and a versioned model package must be Approved to deploy it."
        )


def _check(aws: LocalAws, container: Container, role: str | None) -> None:
    """What AWS looks at before it accepts a model: the image, and the artifact through the role's eyes."""
    check_image(aws, container.image)
    if container.model_data_url is None:
        return
    if role is None:
        raise ValidationException("ExecutionRoleArn must be specified for a model with model data.")
    try:
        model_data.readable(aws.client("s3", role), container.model_data_url, archive=container.archive)
    except model_data.ModelDataError as error:
        raise ValidationException(
            f"Could not access model data at {container.model_data_url}. Please ensure that the role {role} "
            "exists and that its trust relationship policy allows the action sts:AssumeRole for the service "
            "principal sagemaker.amazonaws.com. Also ensure that the role has s3:GetObject permissions and "
            f"that the object is located in {aws.region}. ({error})"
        ) from error


def check_image(aws: LocalAws, uri: str) -> None:
    """Raise ValidationException for an image that no registry has, or that SageMaker does not pull.

    It takes neither OCI's index nor a single OCI manifest:
    https://github.com/aws/amazon-sagemaker-feedback/issues/180
    https://docs.aws.amazon.com/sagemaker/latest/dg/docker-containers-troubleshooting.html
    """
    image = aws.images.resolve(uri)
    if image.media_type != DOCKER_MANIFEST:
        raise ValidationException(
            f"Unsupported manifest media type {image.media_type} for image {uri}. Ensure that valid manifest "
            "media type is used for specified image."
        )


def _announce(aws: LocalAws, record: Mapping[str, Any]) -> None:
    """AWS sends this event when a model is created and when it is deleted, with the model's description."""
    detail = {
        key: record[key]
        for key in ("ModelName", "ModelArn", "ExecutionRoleArn", "PrimaryContainer")
        if key in record
    }
    detail["CreationTime"] = int(record["CreationTime"].timestamp() * 1000)
    aws.emit("SageMaker Model State Change", detail, [record["ModelArn"]])
