"""Files that are whole or not there, folders that are nobody else's, and one command at a time."""

from __future__ import annotations

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, NoReturn

from cli import locks
from cli.errors import CliError
from contract.datasets.rules import is_hidden

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
_LOOK_AGAIN_SECONDS = 0.1


class HomeUnusable(CliError):
    """The folder that keeps everything local cannot be made or written."""


def private_folder(folder: Path) -> Path:
    """Makes `folder`, or closes the one that is there to everybody but its owner: keys and logs lie in it.

    A folder that many share, or the user's own home, is left as it is; the files in it are private each.

    Raises:
        HomeUnusable: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        found = folder.stat()
        shared = found.st_mode & stat.S_ISVTX or folder == Path.home()
        if found.st_uid == os.geteuid() and not shared and found.st_mode & 0o077:
            folder.chmod(PRIVATE_FOLDER)
    except OSError as error:
        raise HomeUnusable(
            f"The folder {folder} cannot be used ({error.strerror}). Put that right, or choose another with "
            "CLASSIFIER_HOME."
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise HomeUnusable(
            f"The folder {folder} is not writable for you. Make it so, or choose another with "
            "CLASSIFIER_HOME."
        )
    return folder


def open_private(path: Path, mode: Literal["w", "a"]) -> IO[str]:
    """Opens a file to write or append which only its owner may read, also if it was there before."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if mode == "a" else os.O_TRUNC)
    descriptor = os.open(path, flags, PRIVATE_FILE)
    os.fchmod(descriptor, PRIVATE_FILE)
    return os.fdopen(descriptor, mode, encoding="utf-8")


@contextmanager
def replacing(path: Path, private: bool = False) -> Iterator[Path]:
    """A file beside `path` to write, which takes its place when the block ends well, and else is gone.

    Its name is its own and hidden: two commands at once do not write into each other's, and what a kill
    leaves is not taken for a picture.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
    part = Path(name)
    try:
        if not private:
            os.fchmod(handle, 0o666 & ~_umask())
        os.close(handle)
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def nothing() -> None:
    """What is called where nobody wants to hear."""


@contextmanager
def alone(path: Path, on_wait: Callable[[], None] = nothing) -> Iterator[int]:
    """A block for `path` in which no other process, and no other thread, is meanwhile.

    The kernel lets go when the holder ends, however it ends. The file stays: taking it away would let in two.

    Args:
        path: the lock file, in a folder that is there.
        on_wait: called once if somebody else has it.

    Yields:
        The lock's file descriptor: a process which inherits it keeps the lock until it ends as well.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    try:
        if not locks.take(descriptor):
            on_wait()
            while not locks.take(descriptor):
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def taken(path: Path) -> bool:
    """Whether somebody is in a block that is `alone` for `path`."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:  # nobody has ever been
        return False
    try:
        return not locks.take(descriptor, shared=True)
    except locks.NoLocks:
        return False
    finally:
        os.close(descriptor)


def of_results(folder: Path, checkout: Path) -> None:
    """Makes a folder for results, unless it is there; a new one in the checkout is none of git's."""
    new = not folder.exists() or not any(folder.iterdir())
    folder.mkdir(parents=True, exist_ok=True)
    if new:
        ignored_by_git(folder, checkout)


def ignored_by_git(folder: Path, checkout: Path) -> None:
    """Where the folder lies in the checkout, lets git pass over it and all that is in it."""
    if checkout.resolve() in folder.resolve().parents:
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def refuse(error: OSError) -> NoReturn:
    """Raises it: what `os.walk` is told not to pass over folders that may not be read."""
    raise error


def files_below(folder: Path, on_unreadable: Callable[[OSError], None] = refuse) -> Iterator[Path]:
    """The files of a folder in order, without hidden ones and what systems put beside people's.

    Args:
        on_unreadable: called for a folder in it that may not be read.
    """
    for root, folders, names in os.walk(folder, onerror=on_unreadable):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (Path(root, name) for name in sorted(names) if not is_hidden(name))
