"""Condition keys of IAM that ministack leaves out: `cloudwatch:namespace` of PutMetricData.

Without it a policy that lets its owner write one namespace only lets it write none.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_actions


def install() -> None:
    """Add the keys to those ministack finds in a request."""
    found = iam_actions.request_tag_context

    def with_namespace(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = found(service, iam_action, body, params)
        if iam_action == "cloudwatch:PutMetricData":
            context["cloudwatch:namespace"] = _namespace(body, params)
        return context

    iam_actions.request_tag_context = with_namespace


def _namespace(body: bytes, params: dict[str, Any]) -> str:
    """Of a request as JSON, which boto3 sends, or as a form."""
    form = params.get("Namespace", "")
    if form:
        return str(form[0] if isinstance(form, list) else form)
    try:
        return str(json.loads(body)["Namespace"])
    except (ValueError, KeyError, TypeError):
        return ""
