"""Tags of every SageMaker resource, kept by ARN: AddTags, ListTags, DeleteTags.

Whoever creates a resource calls `put` with the tags of the request (an empty list too: from then on the
ARN can be tagged), and `forget` when the resource is deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException
from local_aws.core.store import NoSuchDocument

Tag = dict[str, str]
KIND = "tags"
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html
MAX_TAGS = 50


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer the tag operations."""

    @svc.operation("AddTags")
    def add_tags(request: Request) -> Response:
        arn = request["ResourceArn"]

        def change(document: dict[str, Any]) -> dict[str, Any]:
            return {"tags": checked(arn, [*document["tags"], *request["Tags"]])}

        return {"Tags": _update(aws, arn, change)}

    @svc.operation("ListTags")
    def list_tags(request: Request) -> Response:
        document = aws.store.get(KIND, request["ResourceArn"])
        if document is None:
            raise _unknown(request["ResourceArn"])
        return {"Tags": document["tags"]}

    @svc.operation("DeleteTags")
    def delete_tags(request: Request) -> Response:
        gone = set(request["TagKeys"])

        def change(document: dict[str, Any]) -> dict[str, Any]:
            return {"tags": [tag for tag in document["tags"] if tag["Key"] not in gone]}

        _update(aws, request["ResourceArn"], change)
        return {}


def put(aws: LocalAws, arn: str, tags: Iterable[Tag]) -> None:
    """Give a new resource its tags. Raises ValidationException for more than 50."""
    aws.store.put(KIND, arn, {"tags": checked(arn, tags)})


def of(aws: LocalAws, arn: str) -> list[Tag]:
    """The tags of a resource; none for one that was never `put`."""
    document = aws.store.get(KIND, arn)
    return [] if document is None else list(document["tags"])


def forget(aws: LocalAws, arn: str) -> None:
    """Forget the tags of a deleted resource."""
    aws.store.delete(KIND, arn)


def checked(arn: str, tags: Iterable[Tag]) -> list[Tag]:
    """The tags with the last value of each key, in the order the keys came."""
    merged = {tag["Key"]: tag["Value"] for tag in tags}
    for key in merged:
        if key.lower().startswith("aws:"):
            raise ValidationException(f"The tag key {key} of {arn} starts with aws:, which AWS reserves.")
    if len(merged) > MAX_TAGS:
        raise ValidationException(f"{arn} would have {len(merged)} tags; at most {MAX_TAGS} are allowed.")
    return [{"Key": key, "Value": value} for key, value in merged.items()]


def _update(aws: LocalAws, arn: str, change: Any) -> list[Tag]:
    try:
        return list(aws.store.update(KIND, arn, change)["tags"])
    except NoSuchDocument:
        raise _unknown(arn) from None


def _unknown(arn: str) -> ValidationException:
    return ValidationException(f"No resource with the ARN {arn} exists here, so it has no tags.")
