"""What ministack's IAM leaves out.

* The condition key `cloudwatch:namespace` of PutMetricData: without it a policy that lets its owner write one
  namespace lets it write none.
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
* A bucket that does not exist is NoSuchBucket for everybody, also for who could not have used it.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from ministack.core import iam_actions
from ministack.services import s3


def install() -> None:
    """Teach ministack's IAM."""
    _namespaces()
    _missing_buckets()


def _namespaces() -> None:
    found = iam_actions.request_tag_context

    def with_namespace(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = found(service, iam_action, body, params)
        if iam_action == "cloudwatch:PutMetricData":
            context["cloudwatch:namespace"] = _namespace(body, params)
        return context

    iam_actions.request_tag_context = with_namespace


def _missing_buckets() -> None:
    deny = iam_actions.access_denied_response

    @functools.wraps(deny)
    def deny_if_there(service: str, *args: Any, **kwargs: Any) -> Any:
        bucket = str(kwargs.get("resource_arn", "")).rpartition(":::")[2].partition("/")[0]
        if service == "s3" and not kwargs.get("error_code") and bucket and bucket not in s3._buckets:
            return s3._no_such_bucket(bucket)
        return deny(service, *args, **kwargs)

    iam_actions.access_denied_response = deny_if_there


def _namespace(body: bytes, params: dict[str, Any]) -> str:
    """Of a request as JSON, which boto3 sends, or as a form."""
    form = params.get("Namespace", "")
    if form:
        return str(form[0] if isinstance(form, list) else form)
    try:
        return str(json.loads(body)["Namespace"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
