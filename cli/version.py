"""Which version of this project runs, and of a checkout which commit."""

from __future__ import annotations

import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import click

from cli.target import ROOT


def version(root: Path = ROOT) -> str:
    """As in `classifier 0.1.0 (commit 0a1b2c3, with changes)`."""
    commit = _git(root, "rev-parse", "--short", "HEAD") if (root / ".git").exists() else ""
    if not commit:
        return f"classifier {_number(root)}"
    changes = ", with changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else ""
    return f"classifier {_number(root)} (commit {commit}{changes})"


def _number(root: Path) -> str:
    """The checkout's own, which an installation of before may not have heard of."""
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return str(project["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return metadata.version("classifier")


def _git(root: Path, *arguments: str) -> str:
    """What git says; nothing where it cannot."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _show(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(version())
        context.exit()


version_option = click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show,
    help="Show the version, and the commit of a checkout.",
)
