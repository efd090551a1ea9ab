"""Events on their way to functions, kept until the function has had them.

AWS keeps an asynchronous invocation until the function has answered or it lies in the dead-letter queue;
ministack keeps it in a thread. Here it is in the store before anybody is told that it was taken, and `resume`
delivers again what was under way at a `kill -9`. A function may so get an event twice, as on AWS.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import contextvars
import json
import logging
import threading
import time
import uuid
from typing import Any

from ministack.services import eventbridge, lambda_svc

from local_aws.core import process
from local_aws.core.store import DiskFull, Store, waiting_for_room
from local_aws.ministack_adapter.snapshots import Snapshots

log = logging.getLogger(__name__)

_KIND = "delivery"
_RETRIES = 2
# As long as AWS keeps an event for a function that fails.
_MAX_AGE_SECONDS = 6 * 3600


class Deliveries:
    """The asynchronous invocations under way."""

    def __init__(self, store: Store, snapshots: Snapshots) -> None:
        self._store = store
        self._snapshots = snapshots
        self._left = store.list(_KIND)

    def install(self) -> None:
        """Take the place of ministack's asynchronous invocations, and of EventBridge's way to them."""
        lambda_svc.invoke_async_with_retry = self.take
        eventbridge._dispatch_to_lambda = self._dispatch

    def take(self, function: dict[str, Any], event: Any) -> None:
        """Keep an event, and begin to deliver it. Raises DiskFull if it cannot be kept."""
        key = uuid.uuid4().hex
        arn = function["config"]["FunctionArn"]
        self._store.put(_KIND, key, {"key": key, "function": arn, "event": event})
        self._begin(key, function, event)

    def resume(self) -> None:
        """Deliver what a former server had taken."""
        for delivery in self._left:
            function = _function(delivery["function"])
            if function is None:
                self._store.delete(_KIND, delivery["key"])
            else:
                self._begin(delivery["key"], function, delivery["event"])

    def _dispatch(self, arn: str, payload: str) -> None:
        function, event = _function(arn), json.loads(payload)
        if function is None:
            return
        try:
            self.take(function, event)
        except DiskFull as error:  # nobody waits for an answer: better delivered than kept
            log.error("an event for %s is delivered without being kept: %s", arn, error)
            self._begin(None, function, event)

    def _begin(self, key: str | None, function: dict[str, Any], event: Any) -> None:
        context = contextvars.copy_context()
        work = (self._deliver, key, function, event)
        threading.Thread(target=context.run, args=work, name="delivery", daemon=True).start()

    def _deliver(self, key: str | None, function: dict[str, Any], event: Any) -> None:
        failure = _attempt(function, event)
        if process.ending():
            return  # whatever came of it, the next server delivers it again
        target = _failure_target(function)
        if failure is not None and target:
            name = function["config"]["FunctionName"]
            arguments = (lambda_svc._route_async_failure, target, name, event, failure)
            lambda_svc._run_with_function_config_scope(function, *arguments)
            self._snapshots.commit()
        if key is not None:
            with waiting_for_room():
                self._store.delete(_KIND, key)


def _attempt(function: dict[str, Any], event: Any) -> dict[str, Any] | None:
    """Invoke until it answers or the retries are used up; the last failure, None if it answered."""
    settings = _settings(function)
    retries, began = settings.get("MaximumRetryAttempts"), time.time()
    max_age = int(settings.get("MaximumEventAgeInSeconds", _MAX_AGE_SECONDS))
    result: dict[str, Any] = {}
    for attempt in range(1 + int(_RETRIES if retries is None else retries)):
        if attempt:
            pause = lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS * 2 ** (attempt - 1)
            pause = min(pause, lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS)
            if time.time() - began + pause > max_age:
                break
            time.sleep(pause)
        result = lambda_svc._execute_function_with_config_scope(function, event)
        if not result.get("error") or process.ending():
            return None
    return result


def _settings(function: dict[str, Any]) -> dict[str, Any]:
    """The function's EventInvokeConfig."""
    several = function.get("event_invoke_configs") or {}
    found: dict[str, Any] = function.get("event_invoke_config") or several.get("$LATEST") or {}
    return found


def _failure_target(function: dict[str, Any]) -> str:
    """The ARN to which an event goes that no attempt could deliver; empty if there is none."""
    destination = (_settings(function).get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
    return str(destination or (function["config"].get("DeadLetterConfig") or {}).get("TargetArn") or "")


def _function(arn: str) -> dict[str, Any] | None:
    """What ministack needs to invoke a function; None if there is none."""
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        log.warning("an event for the function %s, which does not exist, is lost", name)
        return None
    record: dict[str, Any] = lambda_svc._execution_record_for_config(function, config)
    return record
