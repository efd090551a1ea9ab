"""The job's log, line by line: SageMaker reads its metrics out of it, and people what happened.

A metric is found by the form of a whole line (metric_definitions.json). So what comes from outside, the name
of a file or of a class, must not be able to begin a line of its own.
"""

from __future__ import annotations

import sys
from typing import TextIO


def say(text: str, file: TextIO | None = None) -> None:
    """Write one line, to stdout unless told otherwise, whatever the text holds."""
    print(one_line(text), file=file or sys.stdout, flush=True)


def one_line(text: str) -> str:
    r"""The text with everything escaped that cannot be printed: a line break is shown as \n."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )
