"""The champion once more, with the image of another flavour.

A model package names its image for good, so another flavour is another version: the same model, verdict and
metadata. It is promoted like any other, watched by the alarms, and can be rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from cli import release
from cli.live.state import Image
from cli.stacks import outputs
from cli.target import Target
from contract.names import IMAGE_TARGET

_KEPT = ("ModelMetrics", "Domain", "Task")
_KEPT_OF_SPECIFICATION = ("SupportedContentTypes", "SupportedResponseMIMETypes")


def register(target: Target, champion: str, image: Image, on_change: Callable[[str], None]) -> None:
    """Register the champion with the deployed image, promote it, and wait until it serves.

    Repeated, it makes no second version: the request's token says what it is of.

    Raises:
        NotPossible: the alarms took it back, or somebody decided otherwise meanwhile.
    """
    client = target.client("sagemaker")
    package = client.describe_model_package(ModelPackageName=champion)
    request = request_of(package, outputs(target, "training")["ServingImage"], image)
    arn = client.create_model_package(**request)["ModelPackageArn"]
    version = arn.rpartition("/")[2]
    release.approve(target, version, f"{_version(champion)}, with the {image} image", anyway=True)
    release.await_decision(target, arn)
    release.wait(target, on_change)
    release.must_serve(target, arn)


def request_of(package: dict[str, Any], uri: str, image: Image) -> dict[str, Any]:
    """The CreateModelPackage request for a package with another image."""
    arn, specification = package["ModelPackageArn"], package["InferenceSpecification"]
    (container,) = specification["Containers"]
    metadata = {**package.get("CustomerMetadataProperties", {}), IMAGE_TARGET: image.value}
    return {
        "ModelPackageGroupName": package["ModelPackageGroupName"],
        "ModelPackageDescription": f"{_version(arn)} with the {image} image",
        # Its approval is what promotes it, and comes next.
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": uri, "ModelDataUrl": container["ModelDataUrl"]}],
            **{key: specification[key] for key in _KEPT_OF_SPECIFICATION if key in specification},
        },
        **{key: package[key] for key in _KEPT if key in package},
        "CustomerMetadataProperties": metadata,
        "ClientToken": sha256(f"{arn} {uri}".encode()).hexdigest()[:36],
    }


def _version(arn: str) -> str:
    return f"version {arn.rpartition('/')[2]}"
