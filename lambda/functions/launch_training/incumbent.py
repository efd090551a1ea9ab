"""The model that serves, as a channel of the next one's last training, which asks both the same pictures."""

from __future__ import annotations

from typing import Any

from contract.environment import LaunchEnvironment
from contract.storage import is_model
from functions.common import champion, launching, logs


def model_url(settings: LaunchEnvironment, sagemaker: Any, s3: Any, ssm: Any) -> str:
    """The S3 URI of the champion's artifact; empty without a champion, or with one that a job cannot read.

    A channel without a file would end the job, and its role reads models below `jobs/` of this project's own
    bucket only: what somebody registered from elsewhere is compared by what the registry knows of it.
    """
    arn = champion.current(ssm, settings.champion_parameter).model
    if arn == champion.NONE:
        return ""
    package = launching.describe(sagemaker.describe_model_package, ModelPackageName=arn) or {}
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    url = str(containers[0].get("ModelDataUrl", "")) if containers else ""
    prefix = f"s3://{settings.artifacts_bucket}/"
    key = url.removeprefix(prefix)
    if not url.startswith(prefix) or not is_model(key):
        logs.info("the champion is of elsewhere", champion=arn, model=url)
        return ""
    found = s3.list_objects_v2(Bucket=settings.artifacts_bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    if not any(each["Key"] == key for each in found):
        logs.warning("the champion's model is gone", champion=arn, model=url)
        return ""
    return url
