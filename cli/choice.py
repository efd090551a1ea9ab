"""What a person chose about where to work, beside local or aws: an environment, a profile, a region."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME: Final = "classifier"


@dataclass(frozen=True)
class Choice:
    """An environment of classifier.toml, and what --profile and --region put in its place."""

    name: str = ""
    """The environment's; empty without one."""
    config: str = ""
    """Its file of settings, or a sample's name; empty: cdk.json, or CLASSIFIER_CONFIG."""
    profile: str = ""
    """Of the AWS configuration; empty: as every AWS tool finds credentials."""
    region: str = ""
    account: str = ""
    """The only account that it is for; empty: any."""
    option: str = ""
    """What a suggested command line must carry to reach the same place."""


NO_CHOICE = Choice()


def command(words: str, option: str) -> str:
    """A command line to suggest.

    Args:
        words: such as `approve 3`.
        option: what it must carry to reach the same place (`Target.option`).
    """
    return f"{program()} {words}{option}"


def program() -> str:
    """What the user's shell finds this command by: its name, or else its path."""
    own = Path(sys.executable).with_name(NAME)
    path = os.environ.get("PATH", "")
    if "MAKELEVEL" in os.environ:  # make has put the environment first, where the user's shell does not look
        path = path.partition(os.pathsep)[2]
    found = shutil.which(NAME, path=path)
    if not own.exists() or (found and own.samefile(found)):
        return NAME
    with suppress(OSError, ValueError):  # a folder that is gone, or another one
        own = own.relative_to(Path.cwd())
    return shlex.quote(str(own))
