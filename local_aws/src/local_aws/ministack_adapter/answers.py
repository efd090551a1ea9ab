"""Refusals in the form that a service of ministack answers in: XML, JSON or CBOR."""

from __future__ import annotations

import uuid

from ministack.core import iam_actions
from ministack.core.responses import fix_error_content_type

from local_aws.core.api import HttpAnswer


def refused(service: str, code: str, message: str, headers: dict[str, str], status: int = 400) -> HttpAnswer:
    """The answer of that service to a request with these headers (in lower case).

    403 leaves the status to the service: some have another for what is not allowed.
    """
    own_status, lines, body = iam_actions.access_denied_response(
        service, "", "", str(uuid.uuid4()), error_code=code, message=message, headers=headers
    )
    fix_error_content_type(service, own_status, lines)
    return own_status if status == 403 else status, lines, body
