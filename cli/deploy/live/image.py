"""The champion once more, with the image of another flavour.

A model package names its image for good, so another flavour is another version: the same model, verdict and
metadata. It is promoted like any other, watched by the alarms, and can be rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from cli.deploy.live.state import Image
from cli.release import promotion
from cli.stacks import outputs
from cli.target import Target
from contract.names import IMAGE_TARGET, version_of

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
    why = f"version {version_of(champion)}, with the {image} image"
    promotion.approve(target, version_of(arn), why, anyway=True)
    promotion.await_decision(target, arn)
    promotion.wait(target, on_change)
    promotion.must_serve(target, arn)


def request_of(package: dict[str, Any], uri: str, image: Image) -> dict[str, Any]:
    """The CreateModelPackage request for a package with another image."""
    arn, specification = package["ModelPackageArn"], package["InferenceSpecification"]
    (container,) = specification["Containers"]
    metadata = {**package.get("CustomerMetadataProperties", {}), IMAGE_TARGET: image.value}
    return {
        "ModelPackageGroupName": package["ModelPackageGroupName"],
        "ModelPackageDescription": f"version {version_of(arn)} with the {image} image",
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
