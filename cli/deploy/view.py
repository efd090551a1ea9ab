"""How a deployment looks: a line per stack, live with its resources counted, or printed in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.console import DONE, FAILED, NOW, console, say
from cli.deploy.cdk_output import Deployment

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS = {"working": NOW, "done": DONE, "unchanged": DONE, "deleted": DONE, "failed": FAILED}


def table(deployment: Deployment) -> RenderableType:
    """The state of all stacks seen so far, and what is going on now."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    grid.add_column(no_wrap=True)
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


@contextmanager
def showing() -> Iterator[Callable[[Deployment], None]]:
    """Shows a deployment while the block goes on; yields what takes every change."""
    if console().is_terminal:
        from rich.live import Live

        with Live(console=console(), refresh_per_second=8) as live:
            yield lambda deployment: live.update(table(deployment))
        return
    printed: set[tuple[str, str]] = set()

    def show(deployment: Deployment) -> None:
        facts = [(deployment.command, deployment.phase)] if deployment.phase else []
        facts += [(name, stack.state) for name, stack in deployment.stacks.items()]
        for subject, state in facts:
            if (subject, state) not in printed:
                printed.add((subject, state))
                say(f"{subject}: {state}")

    yield show
