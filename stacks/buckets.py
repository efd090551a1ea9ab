"""A bucket of this project: closed to the public, encrypted, over TLS alone."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.settings.schema import Settings


def private_bucket(
    scope: Construct,
    construct_id: str,
    settings: Settings,
    rules: Sequence[s3.LifecycleRule],
    *,
    versioned: bool,
    access_logs: s3.IBucket | None = None,
) -> s3.Bucket:
    """The bucket, which the setting `on_destroy` keeps or deletes with its stack.

    It is encrypted with S3's own key: a KMS key of one's own is billed every month.
    """
    delete = settings.on_destroy == "delete"
    return s3.Bucket(
        scope,
        construct_id,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        versioned=versioned or None,
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix=f"{construct_id.lower()}/" if access_logs else None,
        lifecycle_rules=list(rules),
        removal_policy=RemovalPolicy.DESTROY if delete else RemovalPolicy.RETAIN,
        auto_delete_objects=delete,
    )
