"""A folder of pictures on this machine, as a place in the data bucket that a batch job reads.

The place belongs to the folder: sent again, it gets what is new or changed and loses what is gone, and what
was answered before is known by its name and content. A rule of the bucket removes what lies there for long.
"""

from __future__ import annotations

import hashlib
import mimetypes
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli.cost.prices import of_storing
from cli.data.findings import BadUpload, Finding
from cli.data.folder import dataset_name
from cli.data.pictures import Checked, not_a_picture
from cli.data.sending import WORKERS, Sender, in_parallel
from cli.files import files_below
from cli.target import Target
from contract.batch import MAX_PICTURE_BYTES
from contract.objects import below
from contract.storage import batch_upload
from contract.words import counted, listed

_AT_ONCE: Final = 1000
"""Objects that one request removes."""
_LONGEST_KEY: Final = 1024


@dataclass(frozen=True)
class Folder:
    """The pictures of a folder, each by its path below it, as S3 can name it."""

    path: Path
    files: dict[str, Path]
    left_out: tuple[Finding, ...]
    """Files that no batch takes, and folders that may not be read."""

    @property
    def prefix(self) -> str:
        """Where they lie in the data bucket."""
        whose = f"{platform.node()}\0{self.path.resolve()}"
        own = hashlib.sha256(whose.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return batch_upload(f"{dataset_name(self.path)}-{own}")


@dataclass(frozen=True)
class Todo:
    """What brings the place up to date."""

    new: tuple[str, ...]
    gone: tuple[str, ...]
    present: int
    gigabytes: float
    """Of what is new."""

    @property
    def in_words(self) -> str:
        here = f", {counted(self.present, 'is', 'are')} there already" if self.present else ""
        gone = (
            f", {counted(len(self.gone), 'is', 'are')} removed that the folder no longer has"
            if self.gone
            else ""
        )
        return f"{counted(len(self.new), 'file is', 'files are')} sent{here}{gone}"

    @property
    def cost(self) -> str:
        """What S3 bills for them, in words."""
        return (
            f"This sends {counted(len(self.new), 'file', 'files')}{of_storing(len(self.new), self.gigabytes)}"
        )


def look(path: Path) -> Folder:
    """The pictures of a folder by their names, and what is left out.

    Raises:
        BadUpload: there is no such folder, or no picture in it.
    """
    if not path.is_dir():
        what = f"{path} is a file" if path.exists() else f"There is no folder {path}"
        raise BadUpload(f"{what}. Give a folder of pictures, or an S3 address: s3://BUCKET/PREFIX.")
    files: dict[str, Path] = {}
    left_out: list[Finding] = []
    closed: list[OSError] = []
    for file in files_below(path, closed.append):
        name = file.relative_to(path).as_posix()
        problem = _problem(name, file)
        if problem is None:
            files[name] = file
        else:
            left_out.append(Finding(problem.problem_kind, _shown(name), problem.problem))
    for error in closed:
        name = Path(error.filename).relative_to(path).as_posix()
        left_out.append(Finding("unreadable", f"{_shown(name)}/", f"cannot be read: {error.strerror}"))
    if not files:
        why = listed([f"{each.path} {each.why}" for each in left_out])
        raise BadUpload(f"There is no picture in {path} that can be sent{why and f': {why}'}.", left_out)
    return Folder(path, files, tuple(left_out))


def _shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


def missing(s3: Any, bucket: str, folder: Folder) -> Todo:
    """What is not there yet, by name and content, and what is there and no longer in the folder."""
    there = {
        each["Key"].removeprefix(folder.prefix): each["ETag"].strip('"')
        for each in below(s3, bucket, folder.prefix)
    }
    new = [name for name, file in folder.files.items() if name not in there or there[name] != _md5(file)]
    gone = [name for name in there if name not in folder.files]
    size = sum(folder.files[name].stat().st_size for name in new)
    return Todo(tuple(new), tuple(gone), len(folder.files) - len(new), size / 1e9)


def send(
    target: Target,
    bucket: str,
    folder: Folder,
    todo: Todo,
    on_sent: Callable[[int], None] = lambda count: None,
) -> None:
    """Bring the place up to date.

    Args:
        on_sent: called with the number of files just sent.
    """
    with Sender(target, bucket, folder.prefix, WORKERS) as sender:

        def bring(name: str) -> None:
            body = folder.files[name].read_bytes()
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            sender.put(name, body, kind, hashlib.sha256(body).hexdigest())

        in_parallel(todo.new, bring, on_sent)
    s3 = target.client("s3")
    for first in range(0, len(todo.gone), _AT_ONCE):
        keys = [{"Key": folder.prefix + name} for name in todo.gone[first : first + _AT_ONCE]]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def _problem(name: str, file: Path) -> Checked | None:
    """Why a file is not sent; None where it is."""
    try:
        key = name.encode()
    except UnicodeEncodeError:
        return Checked(problem="has a name that is no Unicode text", problem_kind="name")
    if len(key) > _LONGEST_KEY - 100:
        return Checked(problem="has too long a name", problem_kind="name")
    if problem := not_a_picture(file):
        return problem
    if not file.is_file():
        return Checked(problem="is no file", problem_kind="unreadable")
    if file.stat().st_size > MAX_PICTURE_BYTES:
        return Checked(problem=f"has more than {MAX_PICTURE_BYTES:,} bytes", problem_kind="too large")
    return None


def _md5(file: Path) -> str:
    """What S3 tells a content by that came in one piece."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
