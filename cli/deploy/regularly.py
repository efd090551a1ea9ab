"""Something that is done again and again while something else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from click.globals import push_context


@contextmanager
def regularly(seconds: float, work: Callable[[], None]) -> Iterator[None]:
    """Does the work every so many seconds while the block runs, in a thread of its own.

    Work that is under way when the block ends is waited for a second, and then left.
    """
    over, command = threading.Event(), click.get_current_context(silent=True)

    def go_on() -> None:
        if command is not None:  # Click knows of --quiet and --json in the thread that read them only
            push_context(command)
        while not over.wait(seconds):
            work()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(1)
