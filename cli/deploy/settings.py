"""What this checkout's settings say, as `check.py` answers.

The CDK app alone knows their defaults, so it is asked, and nothing here reads cdk.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.deploy.cdk import context_arguments
from cli.errors import WouldFail
from cli.target import ROOT, Target, node_bin


def check_settings(target: Target, recipe: Path | None = None) -> None:
    """Raises WouldFail for settings, or a recipe's file, that would be refused when they are used."""
    _run(target, ["--recipe", str(recipe)] if recipe else [])


def read_serving(target: Target) -> Mapping[str, Any]:
    """What the settings say about the endpoint, defaults included.

    Raises:
        WouldFail: the settings cannot be used.
    """
    serving: Mapping[str, Any] = stacks_check(target, [])["serving"]
    return serving


def stacks_check(target: Target, arguments: list[str]) -> dict[str, Any]:
    """The check's answer for programs; raises WouldFail as `read_serving`."""
    answer: dict[str, Any] = json.loads(_run(target, ["--json", *arguments]).splitlines()[-1])
    return answer


def _run(target: Target, arguments: list[str]) -> str:
    path = os.pathsep.join([str(node_bin()), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, str(ROOT / "check.py"), *context_arguments(target), *arguments],
        cwd=target.root,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WouldFail(f"{done.stderr.strip()}\nNothing was started.")
    return done.stdout
