"""`classifier up` and `classifier down`"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import click

from cli import answers
from cli.commands.check import anyway_option, before_deploying, plays_an_account
from cli.commands.options import (
    confirm,
    confirm_cost,
    json_option,
    nothing_asked_option,
    whereabouts,
    with_target,
    yes_option,
)
from cli.console import console, say
from cli.deploy.bring_up import bring_up
from cli.deploy.live import Change
from cli.deploy.settings import check_settings
from cli.errors import BadArgument, CliError
from cli.local import server
from cli.local.code import work
from cli.outputs import address_lines
from cli.target import Target
from contract.words import listed

_PATIENCE_SECONDS = 5
AWS_COST = (
    "This deploys the stacks to AWS: buckets, Lambdas, an API, alarms, and three container images which\n"
    "CodeBuild makes once (a few cents). Until a model is promoted nothing is billed per hour: only stored\n"
    "pictures (S3) and images (ECR), about 0.10 USD a month per GB, and alarms and a dashboard, which are\n"
    "free among an account's first ten and three. Then its endpoint is billed per second."
)


@click.command()
@with_target
@yes_option
@anyway_option
@json_option
def up(target: Target, yes: bool, anyway: bool) -> None:
    """Deploy all stacks; locally start the local AWS first."""
    check_settings(target)
    if plays_an_account(target):  # which can be asked when it is up
        look = lambda: before_deploying(target, None, anyway)  # noqa: E731
        outputs = bring_up(target, look, agree=lambda change: agree(change, yes))
    else:
        before_deploying(target, None, anyway)
        confirm_cost(target, AWS_COST, yes)
        if yes or target.is_local:  # who was asked has read it
            say(f"This changes: {whereabouts(target)}")
        outputs = bring_up(target, agree=lambda change: agree(change, yes))
    if not answers.wrote(answers.Kind.OUTPUTS, outputs):
        say("\n".join(address_lines(outputs)))


def agree(change: Change, yes: bool) -> None:
    """Asks before requests are refused; the rest nobody notices."""
    if change.pauses:
        confirm("Go on?", yes)


@click.command()
@with_target
@click.option("--wipe", is_flag=True, help="Also remove its state: stacks, buckets, jobs and models.")
@nothing_asked_option
def down(target: Target, wipe: bool) -> None:
    """Stop the local AWS and everything it runs; its state is kept."""
    if not target.is_local:
        raise BadArgument(
            f"`down` stops the local AWS. To remove what is on AWS: `{target.command('destroy')}`."
        )
    with console().status("Stopping the local AWS"):
        broken_off = _work(target)
        stopped = server.stop(target)
        if wipe:
            server.wipe(target)
    word = "is down" if stopped else "was not up"
    say(f"The local AWS {word}.{' Its state is removed.' if wipe else ''}")
    if stopped and broken_off:
        say(f"What ran ended with it: {listed(broken_off)}.", style="yellow")


def _work(target: Target) -> list[str]:
    """What stopping the local AWS breaks off; nothing where that cannot be asked, or takes long."""
    from botocore.exceptions import BotoCoreError, ClientError

    # One that hangs is stopped all the same, which ends the question.
    asking = ThreadPoolExecutor(1)
    try:
        return asking.submit(work, target).result(_PATIENCE_SECONDS)
    except (BotoCoreError, ClientError, CliError, TimeoutError):
        return []
    finally:
        asking.shutdown(wait=False)
