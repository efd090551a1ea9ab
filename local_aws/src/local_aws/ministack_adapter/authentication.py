"""Keys as ministack keeps them, and refusals as its services put them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.router import detect_service
from ministack.services import lambda_svc, sts

from local_aws.front import Key, Refused, Request
from local_aws.front.application import Answer
from local_aws.ministack_adapter import permissions
from local_aws.ministack_adapter.requests import Request as ServiceRequest


def install() -> None:
    """Take away what ministack gives to keys that anybody can name.

    * Root is the one configured key (and ministack itself, which names none): not every twelve digits, and
      not "test".
    * A role that trusts a service only is the service's: not root's.
    * The credentials of a function's role are random: not a hash of two names.
    """
    root_names = ("", os.environ["AWS_ACCESS_KEY_ID"])
    iam_evaluator.is_root_access_key = sts.is_root_access_key = lambda access_key_id: (
        access_key_id in root_names
    )
    iam_evaluator._principal_matches = partial(_matches_people, iam_evaluator._principal_matches)
    seed = secrets.token_bytes(32)
    credentials = partial(_execution_credentials, seed)
    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = credentials


def key(access_key_id: str) -> Key:
    """What is known of an access key. Raises Refused if it is unknown, inactive or expired."""
    account = os.environ["MINISTACK_ACCOUNT_ID"]
    found = iam_evaluator.resolve_credential(access_key_id, account)
    if isinstance(found, iam_evaluator.CredentialResolutionError):
        raise Refused(found.code, found.message)
    return Key(found.secret_access_key, found.session_token)


def answer(refused: Refused, request: Request, service: str | None) -> Answer:
    """A refusal in the form of the service that the request is for."""
    headers, query = request.headers, parse_qs(request.query_string)
    if service is None:
        # Services that are asked by forms answer alike, and which one it is stands in the form only.
        is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        service = "sts" if is_form else detect_service(request.method, request.path, headers, query)
    if service == "s3" and refused.code == "MissingAuthenticationToken":
        refused = Refused("AccessDenied", "Access Denied")
    made = ServiceRequest.of(service, request.method, request.path, headers, b"", query)
    return made.refused(refused.code, refused.message, refused.status)


def _matches_people(matches: Callable[[Any, str], bool], principal: Any, caller_arn: str) -> bool:
    if isinstance(principal, dict):
        principal = {kind: names for kind, names in principal.items() if kind != "Service"}
    return bool(matches(principal, caller_arn))


def _execution_credentials(seed: bytes, config: dict[str, Any]) -> dict[str, str]:
    """The same for every worker of a function, as ministack has it: they may be many."""
    function, role = str(config["FunctionArn"]), str(config.get("Role", ""))
    key, secret, token = (
        hmac.new(seed, "\n".join((part, function, role)).encode(), hashlib.sha256).hexdigest()
        for part in ("key", "secret", "token")
    )
    key_id = f"ASIA{key[:16].upper()}"
    account, role_name = function.split(":")[4], role.rpartition("/")[2]
    session = str(config.get("FunctionName", "function"))[:64]
    arn = f"arn:aws:sts::{account}:assumed-role/{role_name}/{session}"
    return permissions.open_session(key_id, secret, token, {"Arn": arn, "UserId": f"{role_name}:{session}"})
