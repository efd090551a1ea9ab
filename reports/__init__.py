"""Pages for readers, each made of a record that a program can read as well.

`training` is the page of one job, which the job itself writes. `ended` is what can be said once jobs have
ended: the quality gate's verdict, what was billed, several of them beside each other. `search` is the page of
a tuning job. `shared` has what they have in common: the page, its charts, figures in words.

Beside each module lie its template and its style. A page needs nothing but its record and a browser, so it
can be made again later and elsewhere. Of these rooms a job is sent `shared` and `training` only
(stacks/folders.py).
"""

import json
from pathlib import Path
from typing import Any, Final

Record = dict[str, Any]
"""What is known of one training. What is not there is left out, and its section of the page with it."""

REPORT: Final = "report.json"
"""A job's record, in its output."""


def read_record(path: Path) -> Record | None:
    """The object in a JSON file; nothing where there is none, or half of one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
