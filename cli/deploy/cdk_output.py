"""Reading what the CDK CLI prints: which stack stands where, and why something failed.

The CLI has no machine-readable progress, so its lines are matched; a line that is not understood only matters
for the log. `Deployment` is the state so far, `read` takes one line more.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

_BEGIN = re.compile(r"^(?P<stack>[\w-]+): (?:start: )?(?P<what>deploying|destroying)\b")
_EVENT = re.compile(
    r"^(?P<stack>[\w-]+)\s*\|\s*(?:(?P<done>\d{1,9})(?:/(?P<total>\d{1,9}))?\s*\|)?[^|]*\|\s*(?P<status>[A-Z_]+)\s*"
    r"\|\s*(?P<type>[\w:]+)\s*\|\s*(?P<rest>.*)$"
)
_DONE = re.compile(r"^\s*✅\s+(?P<stack>[\w/:.-]+?):?(?P<note> \(no changes\)| destroyed)?\s*$")
_FAILED = re.compile(r"^\s*❌\s+(?P<rest>.*)$")
_TAIL = 6


@dataclass
class StackProgress:
    """One stack: `working`, `done`, `unchanged`, `deleted` or `failed`; resources done of total."""

    state: str = "working"
    done: int = 0
    total: int = 0
    note: str = ""
    since: float = field(default_factory=time.monotonic)
    """When it was first heard of, by the monotonic clock."""

    @property
    def seconds(self) -> float:
        """How long it has been worked on."""
        return time.monotonic() - self.since


@dataclass
class Deployment:
    """All stacks in the order the CLI took them up, what is going on between them, and what went wrong."""

    command: str
    stacks: dict[str, StackProgress] = field(default_factory=dict)
    phase: str = "synthesising"
    problems: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    beside: str = ""
    """What is known of the work beside the CLI's lines, such as what is left to delete."""

    def __post_init__(self) -> None:
        self.phase = "bootstrapping" if self.command == "bootstrap" else self.phase

    def read(self, line: str) -> bool:
        """Takes one line of output; True when what there is to show changed."""
        if line.strip():
            self.tail = [*self.tail, line][-_TAIL:]
        if begin := _BEGIN.match(line):
            self._stack(begin["stack"]).state = "working"
            self.phase = begin["what"]
            return True
        if event := _EVENT.match(line):
            return self._event(event)
        if "✅" in line and self.command == "bootstrap":  # it names the environment, not its stack
            for bootstrapped in self.stacks.values():
                bootstrapped.state = "done"
            return True
        if done := _DONE.match(line):
            return self._done(done["stack"], (done["note"] or "").strip())
        if failed := _FAILED.match(line):
            self.problems.append(failed["rest"].strip())
            name = failed["rest"].split()[0].rstrip(":") if failed["rest"].split() else ""
            if name in self.stacks:
                self.stacks[name].state = "failed"
            return True
        if "publish" in line and self.phase == "synthesising":
            self.phase = "publishing assets"
            return True
        return False

    def finish(self) -> None:
        self.phase = self.beside = ""

    def reason(self) -> str:
        """Why it failed: what CloudFormation or the CLI complained about, else the last lines."""
        if self.problems:
            return "\n  ".join(dict.fromkeys(self.problems[:6]))
        return "\n  ".join(line.strip() for line in self.tail)

    def _stack(self, name: str) -> StackProgress:
        return self.stacks.setdefault(name, StackProgress())

    def _event(self, event: re.Match[str]) -> bool:
        stack = self._stack(event["stack"])
        if event["done"]:
            stack.done = int(event["done"])
            stack.total = int(event["total"] or stack.total)
        stack.note = f"{event['type']} {event['rest'].split(' (')[0].strip()}"
        if event["status"].endswith("_FAILED") and "cancelled" not in event["rest"].lower():
            self.problems.append(f"{event['stack']}: {event['type']} {event['rest'].strip()}")
        return True

    def _done(self, name: str, note: str) -> bool:
        stack = self._stack(name)
        stack.state = {"(no changes)": "unchanged", "destroyed": "deleted"}.get(note, "done")
        stack.note = ""
        return True
