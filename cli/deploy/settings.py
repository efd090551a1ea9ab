"""What this checkout's settings say, as `check.py` answers.

The CDK app alone knows their defaults, so it is asked, and nothing here reads cdk.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cli.deploy.cdk import context_arguments
from cli.errors import WouldFail
from cli.node import environment
from cli.target import ROOT, Target


def check_settings(target: Target, recipe: Path | None = None) -> None:
    """Raises WouldFail for settings, or a recipe's file, that would be refused when they are used."""
    _run(target, ["--recipe", str(recipe)] if recipe else [])


def stacks_check(target: Target, arguments: list[str]) -> dict[str, Any]:
    """The check's answer for programs, defaults included. Raises WouldFail for settings of no use."""
    answer: dict[str, Any] = json.loads(_run(target, ["--json", *arguments]).splitlines()[-1])
    return answer


def _run(target: Target, arguments: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "check.py"), *context_arguments(target), *arguments],
        cwd=target.root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WouldFail(f"{done.stderr.strip()}\nNothing was started.")
    return done.stdout
