"""IAM, asked the way ministack asks it: who calls, may they, and does a role trust a service.

The caller of a request is its access key, kept in a context variable while our handlers run. What ministack
leaves out:

* The condition key `cloudwatch:namespace` of PutMetricData: without it a policy that lets its owner write one
  namespace lets it write none.
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
* `iam:PolicyARN` of attaching and detaching a managed policy, in the same way.
  https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagement.html
* A bucket that does not exist is NoSuchBucket for everybody, also for who could not have used it.
"""

from __future__ import annotations

import contextvars
import json
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import iam, s3, sts

from local_aws.core.api import HttpAnswer
from local_aws.core.errors import AccessDenied, ValidationException
from local_aws.ministack_adapter.requests import Handler

# As long as the longest session AWS gives; a training job may need its credentials that long.
SESSION_SECONDS = 12 * 3600
_OF_A_POLICY = re.compile(r"iam:(Attach|Detach)(Role|User|Group)Policy")

_caller: contextvars.ContextVar[str] = contextvars.ContextVar("local_aws_caller", default="")


async def handle_for_caller(
    handle: Handler, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> HttpAnswer:
    """A service's handler, in a context that knows whose request it serves."""
    _caller.set(extract_access_key_id(headers, query) or "")
    return await handle(method, path, headers, body, query)


def check(action: str, resource: str, context: Mapping[str, Any] | None = None, access_key: str = "") -> None:
    """AccessDenied unless the caller (or the owner of `access_key`) may do `action` on `resource`."""
    service = action.partition(":")[0]
    key = access_key or _caller.get()
    denied = iam_evaluator.enforce(key, action, service, get_region(), resource, dict(context or {}))
    if denied is None:
        return
    if isinstance(denied, iam_evaluator.AuthError):
        raise AccessDenied(denied.message)
    explicit = denied.decision == "Deny"
    raise AccessDenied(iam_actions.identity_denial_message(action, denied.principal_arn, resource, explicit))


def check_pass_role(role_arn: str, service: str) -> None:
    """AccessDenied unless the caller may pass the role; ValidationException unless it trusts `service`."""
    check("iam:PassRole", role_arn, {"iam:PassedToService": service})
    trusted_role(role_arn, service)


def role_credentials(role_arn: str, service: str, session: str) -> dict[str, str]:
    """Temporary credentials as `service` gets them by assuming the role."""
    role = trusted_role(role_arn, service)
    arn, problem = sts._assumed_role_arn(role_arn, session)
    if problem is not None:
        raise ValidationException(f"{role_arn} is no role ARN")
    record = {
        "Arn": arn,
        "UserId": f"{role['RoleId']}:{session}",
        "Expiration": time.time() + SESSION_SECONDS,
        "AccountId": role_arn.split(":")[4],
        "PrincipalType": "AssumedRole",
        "SourcePrincipalArn": service,
    }
    key = iam._gen_session_access_key()
    return open_session(key, iam._gen_secret(), iam._gen_session_token(), record)


def open_session(key: str, secret: str, token: str, record: Mapping[str, Any]) -> dict[str, str]:
    """Let these temporary credentials stand for a session; as AWS_* variables."""
    sts.register_session(key, {**record, "SecretAccessKey": secret, "SessionToken": token})
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


def trusted_role(role_arn: str, service: str) -> dict[str, Any]:
    role: dict[str, Any] | None = iam._roles.get(role_arn.rpartition("/")[2])
    if role is None or role.get("Arn") != role_arn or not _trusts(role, service):
        raise ValidationException(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{service}' to assume the role."
        )
    return role


def role_may(role_arn: str, action: str, resource: str) -> bool:
    """Whether a role's policies allow that to whoever has assumed it; not where there is no such role."""
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    return bool(iam_evaluator.evaluate(context, policies).decision == "Allow")


def _trusts(role: Mapping[str, Any], service: str) -> bool:
    """Whether the role's trust policy lets the service assume it: ministack itself knows no services."""
    document = role.get("AssumeRolePolicyDocument") or "{}"
    if isinstance(document, str):
        document = json.loads(document)
    statements = document.get("Statement", [])
    context = iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=get_account_id(),
        action="sts:AssumeRole",
        resource_arn=role["Arn"],
        region=get_region(),
        service_context={"aws:sourceaccount": get_account_id()},
    )
    matching = [
        statement["Effect"]
        for statement in ([statements] if isinstance(statements, dict) else statements)
        if iam_evaluator._action_matches("sts:AssumeRole", _list(statement.get("Action")), [])
        and iam_evaluator._service_principal_matches(statement.get("Principal"), service)
        and iam_evaluator._conditions_met(statement.get("Condition", {}), context)
    ]
    return "Allow" in matching and "Deny" not in matching


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


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
