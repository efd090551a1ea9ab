"""How a deployment looks: a line per stack, live with its resources counted, or printed in a pipe."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from cli.console import console, say
from cli.deploy.cdk_output import Deployment
from cli.target import Target

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS = {
    "working": ("◐", "cyan"),
    "done": ("●", "green"),
    "unchanged": ("●", "green"),
    "deleted": ("●", "green"),
    "failed": ("✗", "red"),
}


def table(deployment: Deployment) -> RenderableType:
    """The state of all stacks seen so far, and what is going on now."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, stack in deployment.stacks.items():
        mark, style = _MARKS[stack.state]
        count = f"{stack.done}/{stack.total}" if stack.state == "working" and stack.total else ""
        note = stack.note[:60] if stack.state == "working" else ""
        grid.add_row(
            Text(f"{mark} {name}", style=style), Text(stack.state), Text(count), Text(note, style="dim")
        )
    if deployment.phase and not any(stack.state == "working" for stack in deployment.stacks.values()):
        return Group(grid, Text(f"◐ {deployment.phase} ...", style="cyan"))
    return grid


class DeploymentView:
    """Shows a deployment while it goes on; a context manager whose `show` takes every change."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._printed: set[tuple[str, str]] = set()
        self._live: Any = None

    def __enter__(self) -> DeploymentView:
        from rich.live import Live

        if console().is_terminal:
            self._live = Live(console=console(), refresh_per_second=8)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def show(self, deployment: Deployment) -> None:
        if self._live is not None:
            self._live.update(table(deployment))
            return
        facts = [(deployment.command, deployment.phase)] if deployment.phase else []
        facts += [(name, stack.state) for name, stack in deployment.stacks.items()]
        for subject, state in facts:
            if (subject, state) not in self._printed:
                self._printed.add((subject, state))
                say(f"{subject}: {state}")
