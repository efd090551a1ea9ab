"""ECR's BatchDeleteImage by tag: the tag goes, and the image with its last one; ministack's takes the image.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.services import ecr


def install() -> None:
    """Put it in the place of ministack's."""
    ecr._batch_delete_image = partial(_untag_first, ecr._batch_delete_image)


def _untag_first(batch_delete_image: Callable[..., Any], data: dict[str, Any]) -> Any:
    repository: str = data.get("repositoryName", "")
    untagged, rest = [], []
    for image_id in data.get("imageIds", []):
        digest = _untag(repository, image_id)
        if digest:
            untagged.append({**image_id, "imageDigest": digest})
        else:
            rest.append(image_id)
    status, headers, body = batch_delete_image({**data, "imageIds": rest})
    if untagged:
        document = json.loads(body)
        document["imageIds"] += untagged
        body = json.dumps(document).encode()
    return status, headers, body


def _untag(repository: str, image_id: dict[str, str]) -> str:
    """Take a tag from an image that has others: the image's digest; empty where it has no other."""
    tag = image_id.get("imageTag")
    found = ecr._find_image(repository, image_id) if tag and "imageDigest" not in image_id else None
    if not found or len(found["imageTags"]) < 2:
        return ""
    found["imageTags"].remove(tag)
    found["imageId"]["imageTag"] = found["imageTags"][-1]
    return str(found["imageDigest"])
