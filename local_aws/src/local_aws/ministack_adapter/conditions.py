"""What ministack's IAM leaves out.

* The condition key `cloudwatch:namespace` of PutMetricData: without it a policy that lets its owner write one
  namespace lets it write none.
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
* `iam:PolicyARN` of attaching and detaching a managed policy, in the same way.
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagement.html
* A bucket that does not exist is NoSuchBucket for everybody, also for who could not have used it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from ministack.core import iam_actions
from ministack.services import s3

_OF_A_POLICY = re.compile(r"iam:(Attach|Detach)(Role|User|Group)Policy")


def install() -> None:
    """Teach ministack's IAM."""
    iam_actions.request_tag_context = partial(_context, iam_actions.request_tag_context)
    iam_actions.access_denied_response = partial(_deny_if_there, iam_actions.access_denied_response)


def _context(
    tag_context: Callable[..., dict[str, Any]],
    service: str,
    iam_action: str,
    body: bytes,
    params: dict[str, Any],
) -> dict[str, Any]:
    context = tag_context(service, iam_action, body, params)
    if iam_action == "cloudwatch:PutMetricData":
        context["cloudwatch:namespace"] = _named(body, params, "Namespace")
    if _OF_A_POLICY.fullmatch(iam_action):
        context["iam:PolicyARN"] = _named(body, params, "PolicyArn")
    return context


def _deny_if_there(deny: Callable[..., Any], service: str, *args: Any, **kwargs: Any) -> Any:
    bucket = str(kwargs.get("resource_arn", "")).rpartition(":::")[2].partition("/")[0]
    if service == "s3" and not kwargs.get("error_code") and bucket and bucket not in s3._buckets:
        return s3._no_such_bucket(bucket)
    return deny(service, *args, **kwargs)


def _named(body: bytes, params: dict[str, Any], member: str) -> str:
    """A member of a request as JSON, which boto3 sends to some services, or as a form."""
    form = params.get(member, "")
    if form:
        return str(form[0] if isinstance(form, list) else form)
    try:
        return str(json.loads(body)[member])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
