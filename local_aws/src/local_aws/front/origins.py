"""Which page, if any, a request comes from.

A browser sends requests for any page, to this machine as well, so the server has to tell where they come
from. Signatures keep a page from doing what needs a key; this file keeps it from the rest.

* `Host`: a page whose name was made to point at 127.0.0.1 (DNS rebinding) is of our origin to the browser;
  but the browser still says the name.
* `Origin` and `Sec-Fetch-*`: another port of the same machine is another origin, and the same *site*: so
  "same-site" is as foreign as "cross-site".
  https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

from enum import Enum, auto

from local_aws.front.request import Request

_OUR_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Visitor(Enum):
    """Who asks."""

    PROGRAM = auto()
    """No browser: nothing in the request says so. Browsers send all of `Sec-Fetch-*` or none; Node's `fetch`
    sends the mode alone.
    """
    OWN_PAGE = auto()
    """A page that was served from here."""
    READER = auto()
    """A person who opened a link or typed an address: a GET for a window of his own."""
    FOREIGN_PAGE = auto()
    """Any other page, a frame inside it, a form that it sends."""


def is_ours(request: Request, port: int) -> bool:
    """Whether the request names us: exactly one Host, a loopback name, our port."""
    hosts = [value for name, value in request.lines if name == "host"]
    return len(hosts) == 1 and hosts[0].lower() in {f"{name}:{port}" for name in _OUR_NAMES}


def visitor(request: Request) -> Visitor:
    """Who sent a request whose Host `is_ours`."""
    headers = request.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    mode, destination = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    if origin is None and site is None and destination is None and mode != "navigate":
        return Visitor.PROGRAM
    if mode == "navigate":
        alone = request.method == "GET" and destination == "document"
        return Visitor.READER if alone else Visitor.FOREIGN_PAGE
    if origin is not None and origin.lower() != f"http://{headers['host'].lower()}":
        return Visitor.FOREIGN_PAGE
    # An old browser sends the origin alone; "none" is the person's own doing.
    if site in ("same-origin", "none") or (site is None and origin is not None):
        return Visitor.OWN_PAGE
    return Visitor.FOREIGN_PAGE


def may_ask(request: Request) -> bool:
    """Whether a foreign page's request is one that CORS is for: not one whose answer nobody may read."""
    return "origin" in request.headers and request.headers.get("sec-fetch-mode", "cors") == "cors"
