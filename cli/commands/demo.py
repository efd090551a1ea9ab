"""`classifier demo`"""

from __future__ import annotations

from pathlib import Path

import click

from cli.commands.check import anyway_option, before_deploying
from cli.commands.options import confirm_cost, with_target, yes_option
from cli.target import Target


@click.command()
@with_target
@click.option(
    "--data", type=click.Path(path_type=Path), help="A picture folder (default: handwritten digits)."
)
@click.option("--recipe", help="A recipe's name (default: the data's name, else finetune).")
@yes_option
@anyway_option
def demo(target: Target, data: Path | None, recipe: str | None, yes: bool, anyway: bool) -> None:
    """The main job whole: deploy, upload, tune, train, register, promote, classify."""
    from cli.commands.launch import JOB_COST
    from cli.commands.up import AWS_COST
    from cli.demo import demo as run
    from cli.demo import prepare

    plan = prepare(target, data, recipe)
    before_deploying(target, plan.recipe, anyway)
    confirm_cost(target, f"{AWS_COST}\n{JOB_COST}", yes)
    run(target, plan)
