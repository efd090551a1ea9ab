"""The local AWS runs the code it was started with: what code that is, and whether it may be started anew.

Its state outlives a restart and its endpoints come back; running jobs do not.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cli.aws import listed
from cli.runs.jobs import Kind, named
from cli.stacks import changes
from cli.target import Target


def fingerprint(root: Path) -> str:
    """SHA-256 of the local AWS's source in a checkout, and of the list of packages it is installed with."""
    digest = hashlib.sha256()
    for path in (*sorted((root / "local_aws" / "src").rglob("*.py")), root / "requirements.txt"):
        if path.is_file():
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def work(target: Target) -> list[str]:
    """What a restart would break off: running jobs, and stacks that are being changed."""
    jobs = [name for kind in Kind for name in named(target, kind, StatusEquals="InProgress")]
    stacks = listed(target.client("cloudformation"), "describe_stacks", "Stacks")
    return [*jobs, *(each["StackName"] for each in stacks if changes(each["StackStatus"]))]
