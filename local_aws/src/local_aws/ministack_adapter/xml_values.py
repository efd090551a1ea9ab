"""Values that XML cannot carry are refused where the answer would be XML, and those it can are escaped.

ministack puts a request's values into its answers, where XML 1.0 has no way to write most control characters:
no client could read them. (S3 takes such keys, and warns of them.) Its IAM and STS put them into errors as
they are, markup included.
https://www.w3.org/TR/xml/#charsets
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from xml.sax.saxutils import escape, unescape

import ministack.app as ministack_app
from ministack.services import iam, sts

from local_aws.core.api import HttpAnswer
from local_aws.ministack_adapter.requests import Request, check_first

# As bytes of a form, before it is decoded: controls but tab, line feed and carriage return; U+FFFE, U+FFFF.
_IN_FORM = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|%0[0-8bcef]|%1[0-9a-f]|%ef%bf%b[ef]|\xef\xbf[\xbe\xbf]", re.IGNORECASE
)
_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_FORM = "application/x-www-form-urlencoded"
_MESSAGE = "A value holds a control character, which the answer, being XML 1.0, could not carry"


def install() -> None:
    """Put the check before every service that ministack has, and the escape into two services' errors."""
    iam._error = sts._error = partial(_error_escaped, iam._error)
    check_first(list(ministack_app.SERVICE_HANDLERS), refusal)


def refusal(request: Request) -> HttpAnswer | None:
    """The answer to a request whose values XML cannot carry; None: it can."""
    headers, query = request.headers, request.query
    if request.service == "s3":
        tags = headers.get("x-amz-tagging", "")
        if any(map(_IN_TEXT.search, (request.path, tags, *_texts(query)))) or _IN_FORM.search(tags.encode()):
            return request.refused("InvalidArgument", _MESSAGE)
        return None
    is_form = headers.get("content-type", "").startswith(_FORM) or "Action" in query
    if is_form and (_IN_FORM.search(request.body) or any(map(_IN_TEXT.search, _texts(query)))):
        return request.refused("ValidationError", _MESSAGE)
    return None


def _error_escaped(
    answer_error: Callable[..., Any], status: int, code: str, message: str, ns: str = "iam"
) -> Any:
    return answer_error(status, code, escape(unescape(message)), ns)  # one of its callers has escaped it


def _texts(query: Mapping[str, Any]) -> list[str]:
    return [text for name, values in query.items() for text in (name, *values)]
