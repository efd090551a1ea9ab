"""`classifier check`, and what `up`, `demo`, `tune` and `train` ask of it on AWS before they start."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from cli.commands.options import with_target
from cli.target import Target

if TYPE_CHECKING:
    from cli.check.line import Line
    from cli.runs.launch import Launched

anyway_option = click.option("--anyway", is_flag=True, help="On AWS: start also what the check finds wrong.")


@click.command()
@with_target
@click.option("--recipe", "recipes", multiple=True, help="A recipe that will be run (may be repeated).")
@click.option("--json", "as_json", is_flag=True, help="The lines as JSON, for programs.")
def check(target: Target, recipes: tuple[str, ...], as_json: bool) -> None:
    """Say what the account lacks, before anything is started: quotas, names, permissions, cost.

    Ends with 1 if something would fail.
    """
    from cli.check import Status

    lines = _look(target, recipes)
    if as_json:
        click.echo(json.dumps([line.as_json() for line in lines], indent=2))
    else:
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
        from cli.check import Status

        # One of the user's own, in the bucket, is looked at when it is started.
        known = recipe is not None and (target.root / "recipes" / f"{recipe}.toml").is_file()
        lines = _look(target, (recipe,) if recipe and known else ())
        _show(target, lines, brief=any(line.status is Status.WRONG for line in lines))
        _refuse(lines, anyway)


def plays_an_account(target: Target) -> bool:
    """Whether the local AWS is started with the quotas of an account, to see what would happen there."""
    return target.is_local and os.environ.get("LOCAL_AWS_QUOTAS", "") not in ("", "plenty")


def before_launching(target: Target, planned: Launched, anyway: bool) -> None:
    """On AWS, shows what of the check is not ok for a run.

    Raises:
        NotReady: as `before_deploying`.
    """
    from cli.check import Status, launch

    if target.is_local:
        return
    lines = launch(target, planned)
    if any(line.status is not Status.OK for line in lines):
        _show(target, lines, brief=True)
    _refuse(lines, anyway)


def _look(target: Target, recipes: tuple[str, ...]) -> list[Line]:
    from cli.check import deployment
    from cli.console import error_console

    with error_console().status("Looking at the account") as status:
        return deployment(target, recipes, lambda code: status.update(f"Looking at the account: {code}"))


def _show(target: Target, lines: list[Line], *, brief: bool) -> None:
    from cli.check import Status
    from cli.check.screen import table
    from cli.console import console, say

    shown = [line for line in lines if line.status is not Status.OK] if brief else lines
    console().print(table(shown))
    if len(shown) < len(lines):
        fine = len(lines) - len(shown)
        say(f"{fine} more {'is' if fine == 1 else 'are'} ok: `classifier check{target.option}` lists all.")


def _refuse(lines: list[Line], anyway: bool) -> None:
    from cli.check import refusal

    error = refusal(lines)
    if error is not None and not anyway:
        raise error
