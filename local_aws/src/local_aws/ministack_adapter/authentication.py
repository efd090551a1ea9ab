"""Keys as ministack keeps them, and refusals as its services put them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.router import detect_service
from ministack.services import lambda_svc, sts

from local_aws.front import Key, Refused, Request
from local_aws.front.application import Answer
from local_aws.ministack_adapter import answers


def install() -> None:
    """Take away what ministack gives to keys that anybody can name.

    * Root is the one configured key (and ministack itself, which names none): not every twelve digits, and
      not "test".
    * A role that trusts a service only is the service's: not root's.
    * The credentials of a function's role are random: not a hash of two names.
    """
    _one_root_key()
    _services_only()
    _random_function_keys()


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
    return answers.refused(service, refused.code, refused.message, headers, refused.status)


def _one_root_key() -> None:
    root = os.environ["AWS_ACCESS_KEY_ID"]

    def is_root(access_key_id: str) -> bool:
        return access_key_id in ("", root)

    iam_evaluator.is_root_access_key = is_root
    sts.is_root_access_key = is_root


def _services_only() -> None:
    matches = iam_evaluator._principal_matches

    def matches_people(principal: Any, caller_arn: str) -> bool:
        if isinstance(principal, dict):
            principal = {kind: names for kind, names in principal.items() if kind != "Service"}
        return bool(matches(principal, caller_arn))

    iam_evaluator._principal_matches = matches_people


def _random_function_keys() -> None:
    seed = secrets.token_bytes(32)

    def derived(*names: str) -> str:
        return hmac.new(seed, "\n".join(names).encode(), hashlib.sha256).hexdigest()

    def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
        """The same for every worker of a function, as ministack has it: they may be many."""
        function, role = str(config["FunctionArn"]), str(config.get("Role", ""))
        key_id = f"ASIA{derived('key', function, role)[:16].upper()}"
        secret, token = derived("secret", function, role), derived("token", function, role)
        account, role_name = function.split(":")[4], role.rpartition("/")[2]
        session = str(config.get("FunctionName", "function"))[:64]
        sts.register_session(
            key_id,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{session}",
                "UserId": f"{role_name}:{session}",
                "SecretAccessKey": secret,
                "SessionToken": token,
            },
        )
        return {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

    lambda_runtime.execution_credentials = execution_credentials
    lambda_svc.execution_credentials = execution_credentials
