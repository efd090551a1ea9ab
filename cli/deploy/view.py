"""How a deployment looks: a line per stack, live with its resources counted, or printed in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Final

from cli.answers import duration
from cli.console import DONE, FAILED, NOW, console, say
from cli.deploy.cdk_output import Deployment

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS = {"working": NOW, "done": DONE, "unchanged": DONE, "deleted": DONE, "failed": FAILED}

_LONG_SECONDS: Final = 30
"""A stack that takes longer than this is spoken of again after each such while."""


def table(deployment: Deployment) -> RenderableType:
    """The state of all stacks seen so far, and what is going on now."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    grid.add_column(no_wrap=True)
    for name, stack in list(deployment.stacks.items()):  # another thread shows it too
        mark, style = _MARKS[stack.state]
        count = f"{stack.done}/{stack.total}" if stack.state == "working" and stack.total else ""
        note = stack.note[:60] if stack.state == "working" else ""
        long = stack.state == "working" and stack.seconds >= _LONG_SECONDS
        took = duration(stack.seconds) if long else ""
        grid.add_row(
            *(Text(f"{mark} {name}", style=style), Text(stack.state), Text(count), Text(took)),
            Text(note, style="dim"),
        )
    if deployment.phase and not any(stack.state == "working" for stack in deployment.stacks.values()):
        return Group(grid, Text(f"◐ {deployment.phase} ...", style="cyan"))
    return Group(grid, Text(f"  {deployment.beside}")) if deployment.beside else grid


@contextmanager
def showing() -> Iterator[Callable[[Deployment], None]]:
    """Shows a deployment while the block goes on; yields what takes every change."""
    if console().is_terminal:
        from rich.live import Live

        with Live(console=console(), refresh_per_second=8) as live:
            yield lambda deployment: live.update(table(deployment))
        return
    printed: set[tuple[str, str]] = set()
    one_at_a_time = Lock()

    def show(deployment: Deployment) -> None:
        facts = [(deployment.command, deployment.phase, "")] if deployment.phase else []
        for name, stack in list(deployment.stacks.items()):
            facts.append((name, stack.state, ""))
            if stack.state == "working" and (times := int(stack.seconds // _LONG_SECONDS)):
                still = f"working, {duration(times * _LONG_SECONDS)} so far"
                facts.append((name, still, deployment.beside or stack.note))
        with one_at_a_time:
            for subject, state, note in facts:
                if (subject, state) not in printed:
                    printed.add((subject, state))
                    say(f"{subject}: {state}{f' ({note})' if note else ''}")

    yield show
