"""What a request asks for beside its picture: SageMaker's custom attributes, `top_k=3,explain=true`."""

from __future__ import annotations

import re
from http import HTTPStatus

from contract.api import MOST_TOP_K, SWITCH, TOP_K
from inference_code.api_error import ApiError


def top_k(attributes: str) -> int:
    """How many classes the answer shall name.

    Raises:
        ApiError: 400 InvalidTopK.
    """
    given = _attribute(attributes, "top_k")
    if given is None:
        return TOP_K
    if not re.fullmatch(r"[0-9]{1,4}", given) or not 1 <= int(given) <= MOST_TOP_K:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            "InvalidTopK",
            f"top_k={given[:20]!r} is not a whole number from 1 to {MOST_TOP_K}.",
        )
    return int(given)


def explain(attributes: str) -> bool:
    """Whether the answer shall tell where the class was seen.

    Raises:
        ApiError: 400 InvalidExplain.
    """
    given = _attribute(attributes, "explain")
    if given is not None and given not in SWITCH:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            "InvalidExplain",
            f"explain={given[:20]!r} is not {' or '.join(SWITCH)}.",
        )
    return given == SWITCH[0]


def _attribute(attributes: str, name: str) -> str | None:
    match = re.search(rf"(?:^|[,;&\s]){name}=([^,;&\s]*)", attributes)
    return match[1] if match else None
