"""What was written down of the calls to AWS: of a run for its report, of all for the dry run.

`python -m tests.system.verify_aws.calls FOLDER` takes the calls in a run's folder for those of the dry run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.system.verify_aws.plan import CALLS


@dataclass(frozen=True)
class Call:
    """One answer of AWS."""

    time: str
    by: str
    service: str
    operation: str
    status: int
    error: str
    request_id: str


def read(folder: Path) -> dict[str, list[Call]]:
    """The calls of each part, in the order in which the parts began."""
    found = {path.stem: list(_lines(path)) for path in folder.glob("*.jsonl")}
    return dict(sorted(found.items(), key=lambda part: part[1][0].time if part[1] else ""))


def by_service(calls: list[Call]) -> dict[str, list[str]]:
    """Which operations of which service, each once."""
    found: dict[str, set[str]] = {}
    for call in calls:
        found.setdefault(call.service, set()).add(call.operation)
    return {service: sorted(found[service]) for service in sorted(found)}


def _lines(path: Path) -> Iterator[Call]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield Call(**json.loads(line))
        except (ValueError, TypeError):  # the last one of a process that was killed
            continue


def main(folder: Path) -> None:
    """Add what was seen there to what the dry run tells."""
    known = json.loads(CALLS.read_text(encoding="utf-8")) if CALLS.exists() else {}
    for part, calls in read(folder).items():
        known[part.replace("--", ":", 1)] = by_service(calls)
    CALLS.write_text(f"{json.dumps(known, indent=1)}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
