"""Lists in pages, as all services answer them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.core.errors import AwsError


def page(
    member: str, found: Sequence[Any], request: Mapping[str, Any], most: int, refusal: AwsError
) -> dict[str, Any]:
    """The part of a list that a request asks for, under `member`; with a NextToken when more follows.

    Args:
        most: items on a page when the request does not say.
        refusal: raised for a token that no answer had.
    """
    token = request.get("NextToken")
    try:
        start = max(0, int(base64.urlsafe_b64decode(token))) if token else 0
    except ValueError:
        raise refusal from None
    end = start + request.get("MaxResults", most)
    answer: dict[str, Any] = {member: list(found[start:end])}
    if end < len(found):
        answer["NextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return answer
