"""`classifier check`, and what `up`, `demo`, `tune` and `train` ask of it on AWS before they start."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from cli import answers
from cli import check as checks
from cli.check import Line, Status
from cli.commands.options import json_option, with_target
from cli.console import console, error_console, say
from cli.runs.launch import Launched
from cli.target import Target

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {Status.OK: "green", Status.WRONG: "bold red", Status.LATER: "yellow", Status.UNKNOWN: "yellow"}

anyway_option = click.option("--anyway", is_flag=True, help="On AWS: start also what the check finds wrong.")


@click.command()
@with_target
@click.option(
    "--recipe", "recipes", multiple=True, help="Look at what this one needs, and no other (may be repeated)."
)
@json_option
def check(target: Target, recipes: tuple[str, ...]) -> None:
    """Say what the account lacks, before anything is started: quotas, names, permissions, cost.

    Ends with 1 if something would fail.
    """
    lines = _look(target, recipes)
    if not answers.wrote(answers.Kind.CHECK, lines):
        _show(target, lines, brief=False)
    if any(line.status is Status.WRONG for line in lines):
        raise click.exceptions.Exit(1)


def before_deploying(target: Target, recipe: str | None, anyway: bool) -> None:
    """On AWS, and on a local AWS that plays an account, shows the check of a deployment.

    With `recipe` also of what will be run after it. Where something is wrong, only what is not ok: that is
    one screen.

    Raises:
        NotReady: something is wrong, and it is not to be started anyway.
    """
    if not target.is_local or plays_an_account(target):
        # One of the user's own, in the bucket, is looked at when it is started.
        ours = recipe is not None and (target.root / "recipes" / f"{recipe}.toml").is_file()
        lines = _look(target, (recipe,) if recipe and ours else ())
        _show(target, lines, brief=any(line.status is Status.WRONG for line in lines))
        _refuse(lines, anyway)


def plays_an_account(target: Target) -> bool:
    """Whether the local AWS is started with the quotas of an account, to see what would happen there."""
    return target.is_local and os.environ.get("LOCAL_AWS_QUOTAS", "") not in ("", "plenty")


def before_launching(target: Target, planned: Launched, anyway: bool) -> None:
    """On AWS, shows what of the check is not ok for a run. Raises as `before_deploying`."""
    if target.is_local:
        return
    lines = checks.launch(target, planned)
    if any(line.status is not Status.OK for line in lines):
        _show(target, lines, brief=True)
    _refuse(lines, anyway)


def _look(target: Target, recipes: tuple[str, ...]) -> list[Line]:
    with error_console().status("Looking at the account") as status:
        return checks.deployment(
            target, recipes, lambda code: status.update(f"Looking at the account: {code}")
        )


def _show(target: Target, lines: list[Line], *, brief: bool) -> None:
    listed = [line for line in lines if line.status is not Status.OK] if brief else lines
    console().print(table(listed))
    if len(listed) < len(lines):
        fine = len(lines) - len(listed)
        say(f"{fine} more {'is' if fine == 1 else 'are'} ok: `{target.command('check')}` lists all.")


def _refuse(lines: list[Line], anyway: bool) -> None:
    error = checks.refusal(lines)
    if error is not None and not anyway:
        raise error


def table(lines: Iterable[Line]) -> RenderableType:
    """Each check with its outcome; below a line that is not ok, why and what mends it."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for line in lines:
        finding = Text(line.looked_at)
        if line.wrong:
            finding.append(f"\n{line.wrong}")
        if line.mend:
            finding.append(f"\n→ {line.mend}", style="cyan")
        grid.add_row(Text(line.status, style=_STYLES[line.status]), Text(line.code), finding)
    return grid
