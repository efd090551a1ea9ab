"""Our services inside ministack, and what ministack's own application needs around it.

ministack routes a request by its signature's scope to a handler found in module-level tables; a service is
added by filling in those tables.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import partial
from typing import Any

import ministack.app as ministack_app

from local_aws.core.context import USER_AGENT
from local_aws.front.application import Asgi
from local_aws.ministack_adapter import permissions
from local_aws.ministack_adapter.requests import Handler

_STARTING = b'{"__type": "ServiceUnavailable", "message": "the local AWS is starting or stopping"}'


def register(name: str, handle: Handler) -> None:
    """Answer requests signed for service `name` with `handle` (our services keep their own state)."""
    module_name = f"local_aws_{name.replace('-', '_')}"
    module = types.ModuleType(f"ministack.services.{module_name}")
    vars(module).update(
        handle_request=partial(permissions.handle_for_caller, handle),
        get_state=lambda: None,
        load_persisted_state=lambda _state: None,
        reset=lambda: None,
    )
    ministack_app._loaded_modules[module_name] = module
    ministack_app.SERVICE_REGISTRY[name] = {"module": module_name}
    ministack_app.SERVICE_HANDLERS[name] = ministack_app._lazy_handler(module_name)


def application(is_ready: Callable[[], bool], touched: Callable[[], None]) -> Asgi:
    """ministack's ASGI application, with what it needs around it.

    * A loopback connection counts as secure, or TLS-only bucket policies would deny everything here.
    * Until `is_ready()` everyone but ourselves gets 503, so that "healthy" means that our services are
      restored.
    * `touched()` is called after every other request: state may have changed.
    """

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await ministack_app.app(scope, receive, send)
            return
        if not is_ready() and not _is_ours(scope):
            headers = [(b"content-type", b"application/json"), (b"retry-after", b"1")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": _STARTING})
            return
        if scope["path"] in ministack_app._HEALTH_PATHS:
            await ministack_app.app(scope, receive, send)
            return
        secure = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-proto"]
        secure.append((b"x-forwarded-proto", b"https"))
        await ministack_app.app({**scope, "headers": secure}, receive, send)
        touched()

    return app


def _is_ours(scope: Any) -> bool:
    agents = [value for name, value in scope["headers"] if name == b"user-agent"]
    return any(USER_AGENT.encode() in agent for agent in agents)
