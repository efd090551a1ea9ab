"""`classifier approve`"""

from __future__ import annotations

import click

from cli.commands.options import confirm_cost, no_wait_option, reason_option, with_target, yes_option
from cli.console import say
from cli.cost.spending import of_serving
from cli.release import promotion, registry
from cli.target import Target


@click.command()
@with_target
@click.argument("version")
@reason_option("approved by hand")
@click.option("--anyway", is_flag=True, help="Also if it was rejected.")
@no_wait_option
@yes_option
def approve(target: Target, version: str, reason: str, anyway: bool, no_wait: bool, yes: bool) -> None:
    """Approve a model VERSION (or ARN) of the registry: it is promoted.

    On AWS it says before what serving it costs, and asks.
    """
    arn = registry.find(target, version)["ModelPackageArn"]
    confirm_cost(target, of_serving, yes)
    say(promotion.approve(target, version, reason, anyway))
    if not no_wait:
        promotion.await_decision(target, arn)
        outcome = promotion.wait(target, say)
        promotion.must_serve(target, arn)
        say(outcome)
