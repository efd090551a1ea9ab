"""`classifier wake`"""

from __future__ import annotations

import click

from cli.commands.options import confirm_cost, no_wait_option, reason_option, with_target, yes_option
from cli.console import say
from cli.cost.spending import of_serving
from cli.release import promotion
from cli.target import Target


@click.command()
@with_target
@reason_option("asked for with classifier wake")
@no_wait_option
@yes_option
def wake(target: Target, reason: str, no_wait: bool, yes: bool) -> None:
    """Bring the endpoint of a sleeping model back.

    On AWS it says before what that costs, and asks.
    """
    confirm_cost(target, of_serving, yes)
    say(f"{promotion.ask(target, 'wake', reason)['action']}.")
    if not no_wait:
        outcome = promotion.wait(target, say)
        promotion.must_be_awake(target)
        say(outcome)
