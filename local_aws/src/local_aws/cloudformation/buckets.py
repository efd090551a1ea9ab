"""Custom::CDKBucketDeployment and Custom::S3AutoDeleteObjects.

CDK's own handlers need an AWS CLI layer and the JavaScript SDK beside them. These do what those do, with the
permissions of the very Lambda the template made for them, so what the Lambda may not do fails here too.
Sources: aws-cdk `custom-resource-handlers/lib/aws-s3-deployment` and `aws-s3/auto-delete-objects-handler`.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import mimetypes
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloudformation.stack import Properties, Provisioned, Register, Stack, is_true
from local_aws.core.archives import read_zip

_OWNER_TAG = "aws-cdk:cr-owned"
_AUTO_DELETE_TAG = "aws-cdk:auto-delete-objects"
# The names system metadata has in the resource's properties, and in PutObject.
_SYSTEM_METADATA = {
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
    "storage-class": "StorageClass",
    "website-redirect": "WebsiteRedirectLocation",
}


def install(stack: Stack, register: Register) -> None:
    """Register both types."""

    def deploy_create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return f"aws.cdk.s3deployment.{uuid.uuid4()}", _deploy(stack, properties)

    def deploy_update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        if not _is(new, "RetainOnDelete", True) and _place(old) != _place(new):
            _empty(stack, old)
        return physical_id, _deploy(stack, new)

    def deploy_delete(physical_id: str, properties: Properties) -> None:
        if not _is(properties, "RetainOnDelete", True):
            _empty(stack, properties)

    def auto_create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return f"{stack_name}-{logical_id}-{uuid.uuid4()}", {}

    def auto_update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        if old.get("BucketName") != new.get("BucketName"):
            _delete_all_versions(stack, old)  # the old bucket is about to be deleted
        return physical_id, {}

    def auto_delete(physical_id: str, properties: Properties) -> None:
        _delete_all_versions(stack, properties)

    register(
        "Custom::CDKBucketDeployment",
        {"create": deploy_create, "update": deploy_update, "delete": deploy_delete},
    )
    register(
        "Custom::S3AutoDeleteObjects",
        {"create": auto_create, "update": auto_update, "delete": auto_delete},
    )


def _deploy(stack: Stack, properties: Properties) -> dict[str, Any]:
    """Bring the destination in line with the sources, as `aws s3 sync` does; the resource's attributes."""
    s3 = stack.lambda_client("s3", properties["ServiceToken"])
    bucket, prefix = _place(properties)
    filters = properties.get("Exclude", []), properties.get("Include", [])
    wanted = {
        f"{prefix}{name}": body for name, body in _source_files(s3, properties) if _included(name, *filters)
    }
    present = {item["Key"]: item["ETag"].strip('"') for item in _objects(s3, bucket, prefix)}
    extra = _metadata(properties)
    for key, body in wanted.items():
        # Metadata is not compared: with any, everything is written again, which is what a change of it needs.
        if extra or present.get(key) != hashlib.md5(body, usedforsecurity=False).hexdigest():
            kind = mimetypes.guess_type(key)[0]
            arguments = {**({"ContentType": kind} if kind else {}), **extra}
            s3.put_object(Bucket=bucket, Key=key, Body=body, **arguments)
    if _is(properties, "Prune", True):
        for key in present:
            if key not in wanted and _included(key.removeprefix(prefix), *filters):
                s3.delete_object(Bucket=bucket, Key=key)
    attributes: dict[str, Any] = {"DestinationBucketArn": properties.get("DestinationBucketArn", "")}
    if _is(properties, "OutputObjectKeys", True):
        attributes["SourceObjectKeys"] = properties["SourceObjectKeys"]
    return attributes


def _source_files(s3: Any, properties: Properties) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file to deploy, later sources over earlier ones, markers replaced."""
    markers = properties.get("SourceMarkers") or [{}] * len(properties["SourceBucketNames"])
    sources = zip(properties["SourceBucketNames"], properties["SourceObjectKeys"], markers, strict=True)
    for bucket, key, replacements in sources:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if not _is(properties, "Extract", True):
            yield key, body
            continue
        for name, content in read_zip(io.BytesIO(body)):
            yield name, _without_markers(content, replacements or {})


def _without_markers(body: bytes, replacements: Mapping[str, Any]) -> bytes:
    for marker, value in replacements.items():
        body = body.replace(marker.encode(), str(value).encode())
    return body


def _metadata(properties: Properties) -> dict[str, Any]:
    system = {
        _SYSTEM_METADATA[name]: str(value)
        for name, value in (properties.get("SystemMetadata") or {}).items()
        if name in _SYSTEM_METADATA
    }
    user = {name: str(value) for name, value in (properties.get("UserMetadata") or {}).items()}
    return {**system, **({"Metadata": user} if user else {})}


def _empty(stack: Stack, properties: Properties) -> None:
    """Remove what was deployed, unless another deployment owns the same place by now."""
    s3 = stack.lambda_client("s3", properties["ServiceToken"])
    bucket, prefix = _place(properties)
    if _owned_by_another(s3, bucket, prefix):
        return
    for item in list(_objects(s3, bucket, prefix)):
        s3.delete_object(Bucket=bucket, Key=item["Key"])


def _owned_by_another(s3: Any, bucket: str, prefix: str) -> bool:
    owner = _OWNER_TAG + (f":{prefix.rstrip('/')}" if prefix else "")
    return any(key.startswith(owner) for key in _tags(s3, bucket))


def _delete_all_versions(stack: Stack, properties: Properties) -> None:
    s3 = stack.lambda_client("s3", properties["ServiceToken"])
    bucket = properties["BucketName"]
    # CDK's handler goes by this tag, because a bucket whose tag was taken off must keep its objects.
    if _tags(s3, bucket).get(_AUTO_DELETE_TAG) != "true":
        return
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])


def _objects(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", [])


def _tags(s3: Any, bucket: str) -> dict[str, str]:
    try:
        return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchTagSet", "NoSuchBucket"):
            return {}
        raise


def _place(properties: Properties) -> tuple[str, str]:
    prefix = str(properties.get("DestinationBucketKeyPrefix") or "").strip("/")
    return properties["DestinationBucketName"], f"{prefix}/" if prefix else ""


def _included(name: str, excluded: list[str], included: list[str]) -> bool:
    """`aws s3 sync`'s filters: excludes first, then includes; the last one that matches decides."""
    wanted = not any(fnmatch.fnmatch(name, pattern) for pattern in excluded)
    return wanted or any(fnmatch.fnmatch(name, pattern) for pattern in included)


def _is(properties: Properties, name: str, default: bool) -> bool:
    return is_true(properties.get(name, default))
