"""`classifier retry`"""

from __future__ import annotations

import click

from cli.commands.options import no_wait_option, reason_option, with_target
from cli.console import say
from cli.release import champion, promotion
from cli.target import Target


@click.command()
@with_target
@reason_option("asked for with classifier retry")
@no_wait_option
def retry(target: Target, reason: str, no_wait: bool) -> None:
    """Try an approved model again that waits for a quota, an instance, a permission or its image."""
    waiting = champion.read(target).waits
    say(f"{promotion.ask(target, 'retry', reason)['action']}.")
    if not no_wait:
        outcome = promotion.wait(target, say)
        promotion.must_serve(target, waiting.package if waiting else "")
        say(outcome)
