"""`classifier sleep`"""

from __future__ import annotations

import click

from cli.commands.options import no_wait_option, reason_option, with_target
from cli.console import say
from cli.release import promotion
from cli.target import Target


@click.command()
@with_target
@reason_option("asked for with classifier sleep")
@no_wait_option
def sleep(target: Target, reason: str, no_wait: bool) -> None:
    """Take the endpoint away to cost nothing; a picture, or `wake`, brings it back."""
    say(f"{promotion.ask(target, 'sleep', reason)['action']}.")
    if not no_wait:
        say(promotion.wait(target, say))
