"""CloudFormation's custom resources without a framework: do, then tell CloudFormation, always.

CloudFormation waits an hour for an answer that does not come, so every way out of a handler ends in a PUT
to the event's ResponseURL. Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-
responses.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import Request, urlopen

from functions.common import logs
from functions.common.errors import InvalidPayload, listed

_REASON_LENGTH = 1000
_REQUIRED = ("RequestType", "ResponseURL", "StackId", "RequestId", "LogicalResourceId")


def property_of(event: object, name: str) -> str:
    """A text among the resource's properties, of a request that can be answered.

    Raises:
        InvalidPayload: it is no request of CloudFormation's for this resource.
    """
    if not isinstance(event, Mapping) or not all(isinstance(event.get(key), str) for key in _REQUIRED):
        raise InvalidPayload(f"a request of CloudFormation has the texts {listed(_REQUIRED)}")
    if not event["ResponseURL"].startswith(("https://", "http://")):
        raise InvalidPayload("ResponseURL is no address that can be answered")
    if event["RequestType"] == "Delete" and not isinstance(event.get("PhysicalResourceId"), str):
        raise InvalidPayload("a Delete names its PhysicalResourceId")
    properties = event.get("ResourceProperties")
    value = properties.get(name) if isinstance(properties, Mapping) else None
    if not isinstance(value, str):
        raise InvalidPayload(f"ResourceProperties lacks the text {name}")
    return value


def answer(event: Mapping[str, Any], physical_id: str, act: Callable[[], None]) -> None:
    """Run `act` for a request and answer it: SUCCESS, or FAILED with the exception's words.

    Another `physical_id` in an Update makes CloudFormation delete the resource of the old one.
    """
    if hand_over(event, physical_id, act):
        _send(event, physical_id, "SUCCESS", "done")


def hand_over(event: Mapping[str, Any], physical_id: str, act: Callable[[], None]) -> bool:
    """Run `act`, which starts somebody who answers the request in the end; answer it only if that fails.

    Returns whether it went well.
    """
    try:
        act()
    except Exception as error:
        logs.exception("the custom resource failed")
        _send(event, physical_id, "FAILED", f"{type(error).__name__}: {error}"[:_REASON_LENGTH])
        return False
    return True


def _send(event: Mapping[str, Any], physical_id: str, status: str, reason: str) -> None:
    body = {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    logs.info("answered", request=event["RequestType"], status=status, physical_id=physical_id)
    # The URL is signed for an empty content type. It is CloudFormation's, in the event only it can send.
    request = Request(  # noqa: S310
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    with urlopen(request, timeout=30):  # noqa: S310
        pass
