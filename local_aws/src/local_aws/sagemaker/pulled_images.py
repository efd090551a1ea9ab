"""Images that SageMaker can pull: known to the registry, with a manifest of Docker's.

It takes neither OCI's index nor a single OCI manifest:
https://github.com/aws/amazon-sagemaker-feedback/issues/180
https://docs.aws.amazon.com/sagemaker/latest/dg/docker-containers-troubleshooting.html
"""

from __future__ import annotations

from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException
from local_aws.images.store import DOCKER_MANIFEST


def check(aws: LocalAws, uri: str) -> None:
    """Raise ValidationException for an image that no registry has, or that SageMaker does not pull."""
    image = aws.images.resolve(uri)
    if image.media_type != DOCKER_MANIFEST:
        raise ValidationException(
            f"Unsupported manifest media type {image.media_type} for image {uri}. Ensure that valid manifest "
            "media type is used for specified image."
        )
