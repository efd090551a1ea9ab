"""GET /: the page, and the policy that lets it run its own script and nothing else.

The script and the style stand in the page; the policy names them by their hashes, so that not even an
injected tag could run. Source: https://developer.mozilla.org/docs/Web/HTTP/Guides/CSP
"""

from __future__ import annotations

import base64
import re
from functools import cache
from hashlib import sha256
from pathlib import Path

_FOLDER = Path(__file__).with_name("web")
_SCRIPTS = ("start", "ask", "picture", "answer", "many", "ways_in", "model")
"""The parts of the script, in their order: each may name what a later one declares, once all are there."""


@cache
def html(max_image_bytes: int, given_days: int = 0) -> str:
    """The page, told how large a picture may be (it makes larger ones smaller before it sends them), and for
    how long one is kept that its sender gives; 0: none is, and nobody is asked for one.
    """
    script = "".join(_read(f"{part}.js") for part in _SCRIPTS)
    told = {
        "__STYLE__": f"\n{_read('page.css')}",
        "__SCRIPT__": f'\n"use strict";\n(() => {{\n{script}}})();\n',
        "__MAX_IMAGE_BYTES__": str(max_image_bytes),
        "__GIVEN_DAYS__": str(given_days),
    }
    text = _read("page.html")
    for word, value in told.items():
        text = text.replace(word, value)
    return text


@cache
def policy(page: str) -> str:
    """The Content-Security-Policy of the page."""
    script, style = (_hashes(page, tag) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hashes(page: str, tag: str) -> str:
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = [base64.b64encode(sha256(each.encode()).digest()).decode() for each in contents]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
