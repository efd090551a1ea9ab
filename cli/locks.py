"""Locks of files, which the kernel lets go when their holder ends: Linux, macOS and WSL have them."""

from __future__ import annotations

from cli.errors import CliError


class NoLocks(CliError):
    """This system has no locks of this kind."""


def take(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file, if nobody has it; whether that went well.

    Raises:
        NoLocks: on Windows. Only now, so that everything without a lock works there.
    """
    try:
        import fcntl
    except ImportError:
        raise NoLocks(
            "This needs a lock of a file as Linux, macOS and WSL have it. On Windows, use WSL."
        ) from None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
