"""AWS's own managed policies: those that users of such a project have, with AWS's documents.

ministack brings some thirty; `managed_policies.json` adds SageMaker's and their neighbours', as AWS published
them in March 2026 (https://docs.aws.amazon.com/aws-managed-policy/latest/reference/). A role that has one may
here do what it may on AWS, and attaching a policy that does not exist is refused.
"""

from __future__ import annotations

import json
from pathlib import Path

from ministack.services import iam

from local_aws.core.errors import AwsError

_DOCUMENTS = Path(__file__).with_name("managed_policies.json")


def install() -> None:
    """Add the documents to ministack's."""
    for name, policy in json.loads(_DOCUMENTS.read_text()).items():
        record = iam._make_aws_managed_record(name, json.dumps(policy["Document"]))
        version = record["Versions"].pop("v1")
        record["Versions"][policy["VersionId"]] = {**version, "VersionId": policy["VersionId"]}
        record["DefaultVersionId"] = policy["VersionId"]
        iam._aws_managed_policies.setdefault(record["Arn"], record)


def must_exist(arn: str) -> None:
    """Raise NoSuchEntity, in IAM's words, for a policy that cannot be attached."""
    if iam.policy_known(arn):
        return
    hint = ""
    if iam._is_aws_managed_arn(arn):
        hint = (
            f" The local AWS has the documents of {len(iam._aws_managed_policies)} of AWS's policies; if AWS "
            "has this one, give its statements in a policy of your own."
        )
    raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.{hint}", 404)
