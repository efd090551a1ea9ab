"""What XML cannot carry is refused where the answer is XML, in a form that clients read."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import botocore.session
import ministack.app as ministack_app
import pytest
from botocore import parsers
from ministack.services import iam, sts

from local_aws.ministack_adapter import xml_values
from local_aws.ministack_adapter.requests import Request

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
UNCARRIED = ["a\x00b", "\x01", "a\x0b", "\x1f", "\ufffe", "\uffff"]
CARRIED = ["", "a b", "tab\tnew\nline\r", "%00", "ä€𝄞", "\x7f", "\ufffd"]


def _refusal(service: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
    return xml_values.refusal(Request.of(service, "POST", path, headers, body, query))


def _form(service: str, value: str) -> Any:
    body = urlencode({"Action": "CreateRole", "RoleName": value}).encode()
    return _refusal(service, "/", FORM, body, {})


def _error(service: str, answer: Any) -> dict[str, Any]:
    """The error as botocore reads it."""
    status, headers, body = answer
    model = botocore.session.get_session().get_service_model(service)
    protocol = "rest-xml" if service == "s3" else "query"
    shape = model.operation_model(model.operation_names[0]).output_shape
    parsed = parsers.create_parser(protocol).parse(
        {"status_code": status, "headers": headers, "body": body}, shape
    )
    found: dict[str, Any] = {"status": status, **parsed["Error"]}
    return found


@pytest.mark.parametrize("service", ["iam", "sts", "cloudformation", "sns"])
@pytest.mark.parametrize("value", UNCARRIED)
def test_a_form_with_what_xml_cannot_carry_is_the_clients_mistake(service: str, value: str) -> None:
    error = _error(service, _form(service, value))
    assert (error["status"], error["Code"]) == (400, "ValidationError")


@pytest.mark.parametrize(
    "message", ["Role <img src=x> & co not found.", "Role &lt;img src=x> &amp; co not found."]
)
def test_markup_in_an_error_is_text_of_it(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    for service in (iam, sts):
        monkeypatch.setattr(service, "_error", service._error)
    monkeypatch.setattr(ministack_app, "SERVICE_HANDLERS", {})
    xml_values.install()
    for service in (iam, sts):
        error = _error("iam", service._error(404, "NoSuchEntity", message))
        assert (error["Code"], error["Message"]) == ("NoSuchEntity", "Role <img src=x> & co not found.")


def test_so_is_a_form_in_the_query_or_unencoded() -> None:
    query = {"Action": ["CreateRole"], "RoleName": ["a\x00b"]}
    assert _refusal("iam", "/", {}, b"", query) is not None
    assert _refusal("iam", "/", FORM, b"Action=CreateRole&RoleName=a\x00b", {}) is not None


@pytest.mark.parametrize("value", CARRIED)
def test_a_form_that_xml_can_carry_goes_on(value: str) -> None:
    # What is let through is in fact carried: a parser takes it.
    ElementTree.fromstring(f"<a>{value.replace('&', '&amp;')}</a>")
    assert _form("iam", value) is None
    assert _refusal("s3", f"/b/{value}", {}, b"", {"prefix": [value]}) is None


@pytest.mark.parametrize("value", UNCARRIED)
def test_neither_a_key_nor_a_prefix_nor_a_tag_of_s3_holds_it(value: str) -> None:
    for path, headers, query in (
        (f"/b/{value}", {}, {}),
        ("/b", {}, {"prefix": [value]}),
        ("/b/k", {"x-amz-tagging": urlencode({"a": value})}, {}),
    ):
        error = _error("s3", _refusal("s3", path, headers, b"", query))
        assert (error["status"], error["Code"]) == (400, "InvalidArgument")


def test_pictures_and_json_may_hold_any_byte() -> None:
    assert _refusal("s3", "/b/k", {"content-type": "image/jpeg"}, b"\x00\xff", {}) is None
    headers = {"content-type": "application/x-amz-json-1.1"}
    assert _refusal("logs", "/", headers, b'{"a": "\\u0000"}', {}) is None
