"""Requests as ministack hands them to its services, and refusals in the form that a service answers in."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import ministack.app as ministack_app
from ministack.core import iam_actions
from ministack.core.responses import fix_error_content_type

from local_aws.core.api import HttpAnswer
from local_aws.core.wire import HttpRequest

Handler = Callable[..., Awaitable[HttpAnswer]]
"""It takes method, path, headers, body and query."""


@dataclass(frozen=True, kw_only=True)
class Request(HttpRequest):
    """A request on its way to one of ministack's services."""

    service: str

    @classmethod
    def of(
        cls, service: str, method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any
    ) -> Request:
        """From what a handler takes."""
        return cls(service=service, method=method, path=path, headers=headers, body=body, query=query)

    def refused(self, code: str, message: str, status: int = 400) -> HttpAnswer:
        """The service's refusal: XML, JSON or CBOR.

        403 leaves the status to the service: some have another for what is not allowed.
        """
        own_status, lines, body = iam_actions.access_denied_response(
            self.service, "", "", str(uuid.uuid4()), error_code=code, message=message, headers=self.headers
        )
        fix_error_content_type(self.service, own_status, lines)
        return own_status if status == 403 else status, lines, body


def check_first(services: Iterable[str], refusal: Callable[[Request], HttpAnswer | None]) -> None:
    """Put a check before these services: what it answers is the answer; None: the service may have it."""
    for service in services:
        handle = ministack_app.SERVICE_HANDLERS[service]
        ministack_app.SERVICE_HANDLERS[service] = partial(_handle_unless_refused, refusal, service, handle)


async def _handle_unless_refused(
    refusal: Callable[[Request], HttpAnswer | None], service: str, handle: Handler, *arguments: Any
) -> HttpAnswer:
    return refusal(Request.of(service, *arguments)) or await handle(*arguments)
