"""What a terminal or a pipe can take: other encodings than UTF-8, and a reader that went away."""

from __future__ import annotations

import codecs
import os
import sys
from typing import Final

from cli.errors import ExitCode

_PLAIN: Final = {
    **{"●": "*", "◐": "~", "○": "o", "◌": "-", "✗": "x", "★": "*", "█": "#", "━": "-", "╸": "-", "╺": "-"},
    **{"→": "->", "↑": "^", "↓": "v", "×": "x", "·": "-", "…": "...", "–": "-", "—": "-", "’": "'"},
}
"""How a sign of ours is written where it cannot be shown; any other becomes a question mark."""
_ERRORS: Final = "classifier"


def prepare() -> None:
    """Lets standard output and error take every text, whatever their encoding."""
    codecs.register_error(_ERRORS, plain)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors=_ERRORS)


def plain(error: UnicodeError) -> tuple[str, int]:
    """What is written in place of signs that an encoding lacks; an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in signs), error.end


def give_up_output() -> None:
    """What is still buffered goes nowhere: nobody reads it, and written at the very end it would complain.

    Source: https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def finish() -> None:
    """Writes what is still buffered; ends quietly where the reader has enough, as `head` has."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_output()
        sys.exit(ExitCode.BROKEN_PIPE)
