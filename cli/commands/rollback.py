"""`classifier rollback`"""

from __future__ import annotations

import click

from cli.commands.options import no_wait_option, reason_option, with_target
from cli.console import say
from cli.release import champion, promotion
from cli.target import Target


@click.command()
@with_target
@reason_option("asked for with classifier rollback")
@no_wait_option
def rollback(target: Target, reason: str, no_wait: bool) -> None:
    """Return to the previous champion; the present one is rejected."""
    present = champion.read(target).model
    say(f"{promotion.ask(target, 'rollback', reason, present)['action']}.")
    if not no_wait:
        say(promotion.wait(target, say))
