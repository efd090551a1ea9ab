"""Where ministack's own resource types do less than AWS's.

* AWS::S3::Bucket: tags, encryption, lifecycle and ownership are kept, and a bucket with objects cannot be
  deleted.
* `aws:kms` without a key means the account's aws/s3 key, as it does for the CDK's own staging bucket.
* FilterLogEvents knows logStreamNamePrefix.
* AWS::ECR::Repository: its images leave the image store with it.
* BatchDeleteImage by tag: the tag goes, and the image with its last one; ministack's takes the image.
  https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
* Types a narrow service role may hold: their actions are checked against the role (ministack's provisioners
  act beyond IAM). Others are provisioned unchecked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from ministack.services import cloudwatch_logs, ecr
from ministack.services import s3 as ministack_s3

from local_aws.cloudformation.stack import SERVICE, SESSION, Properties, Provisioned, is_true
from local_aws.core.context import LocalAws
from local_aws.ministack_adapter import alarms, objects, permissions, stacks, uploads

# type -> (service of the ARN, resource with {name}, property with the name, action to create or update, to
# delete)
_CHECKED = {
    "AWS::CloudWatch::Alarm": (
        "cloudwatch", "alarm:{name}", "AlarmName", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"
    ),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch", "dashboard/{name}", "DashboardName",
        "cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"
    ),
}  # fmt: skip


def install(aws: LocalAws) -> None:
    """Put the changed types in ministack's table."""
    resolve = ministack_s3._resolve_sse_write_headers
    ministack_s3._resolve_sse_write_headers = partial(_with_default_key, aws, resolve)
    objects.install()
    uploads.install(aws.root / "s3-uploads")
    cloudwatch_logs._filter_log_events = partial(_filter_by_prefix, cloudwatch_logs._filter_log_events)
    ecr._batch_delete_image = partial(_untag_first, ecr._batch_delete_image)
    alarms.install()
    permissions.install()
    _buckets(aws)
    _repositories(aws)
    for resource_type in _CHECKED:
        stacks.check_first(resource_type, partial(_check_role, aws, resource_type))
        stacks.register_resource(resource_type, stacks.existing_handler(resource_type))


def _with_default_key(
    aws: LocalAws, resolve: Callable[..., Any], headers: dict[str, str], bucket_name: str
) -> Any:
    algorithm, key = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"
    if headers.get(algorithm) == "aws:kms" and not headers.get(key):
        headers = {**headers, key: aws.arn("alias/aws/s3", "kms")}
    return resolve(headers, bucket_name)


def _filter_by_prefix(filter_log_events: Callable[..., Any], data: dict[str, Any]) -> Any:
    prefix = data.get("logStreamNamePrefix")
    group = cloudwatch_logs._log_groups.get(cloudwatch_logs._resolve_log_group_name(data))
    if prefix and group and not data.get("logStreamNames"):
        names = [name for name in group["streams"] if name.startswith(prefix)]
        # An empty list would mean all streams; no stream has this name.
        data = {**data, "logStreamNames": names or [f"{prefix}:none"]}
    return filter_log_events(data)


def _buckets(aws: LocalAws) -> None:
    original = stacks.existing_handler("AWS::S3::Bucket")

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        name, attributes = original["create"](logical_id, properties, stack_name)
        _configure_bucket(aws, name, {}, properties)
        return name, attributes

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        name, attributes = original["update"](physical_id, old, new, stack_name)
        _configure_bucket(aws, name, old if name == physical_id else {}, new)
        return name, attributes

    def delete(physical_id: str, properties: Properties) -> None:
        try:
            aws.client("s3").delete_bucket(Bucket=physical_id)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
        original["delete"](physical_id, properties)

    stacks.register_resource(
        "AWS::S3::Bucket", {**original, "create": create, "update": update, "delete": delete}, taggable=True
    )


def _configure_bucket(aws: LocalAws, name: str, old: Properties, new: Properties) -> None:
    s3 = aws.client("s3")
    tags, before = new.get("Tags", []), old.get("Tags", [])
    if tags != before:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    encryption = new.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    if encryption:
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
                "BucketKeyEnabled": is_true(rule.get("BucketKeyEnabled", False)),
            }
            for rule in encryption
        ]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    rules = new.get("LifecycleConfiguration", {}).get("Rules", [])
    if rules:
        s3.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": [_lifecycle_rule(rule) for rule in rules]}
        )
    elif old.get("LifecycleConfiguration"):
        s3.delete_bucket_lifecycle(Bucket=name)


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    """A lifecycle rule as the S3 API spells it; CloudFormation has shorter names of its own."""
    made: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        made["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        made["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    elif is_true(rule.get("ExpiredObjectDeleteMarker", False)):
        made["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    noncurrent = rule.get("NoncurrentVersionExpiration")
    if noncurrent:
        made["NoncurrentVersionExpiration"] = {key: int(value) for key, value in noncurrent.items()}
    elif "NoncurrentVersionExpirationInDays" in rule:
        days = int(rule["NoncurrentVersionExpirationInDays"])
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    if "AbortIncompleteMultipartUpload" in rule:
        days = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    transitions = rule.get("Transitions", [])
    if transitions:
        made["Transitions"] = [
            {"StorageClass": item["StorageClass"], "Days": int(item["TransitionInDays"])}
            for item in transitions
        ]
    return made


def _repositories(aws: LocalAws) -> None:
    original = stacks.existing_handler("AWS::ECR::Repository")

    def delete(physical_id: str, properties: Properties) -> None:
        client = aws.client("ecr")
        try:
            uri = client.describe_repositories(repositoryNames=[physical_id])["repositories"][0][
                "repositoryUri"
            ]
        except client.exceptions.RepositoryNotFoundException:
            uri = None
        original["delete"](physical_id, properties)
        if uri is not None:
            aws.images.remove_repository(uri)

    stacks.register_resource("AWS::ECR::Repository", {**original, "delete": delete})


def _check_role(
    aws: LocalAws, resource_type: str, verb: str, properties: Properties, physical_id: str | None
) -> None:
    """AccessDenied if the stack has a service role that may not do this to the resource."""
    service, resource, name_property, writing, deleting = _CHECKED[resource_type]
    role = stacks.current().role_arn
    if role is None:
        return
    key = aws.credentials(role, SESSION, SERVICE)["AWS_ACCESS_KEY_ID"]
    name = properties.get(name_property) or physical_id or f"{stacks.current().name}-new"
    action = deleting if verb == "delete" else writing
    permissions.check(action, aws.arn(resource.format(name=name), service), access_key=key)


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
