"""`classifier approve`, `reject`, `retry`, `rollback`, `sleep` and `wake`"""

from __future__ import annotations

from collections.abc import Callable

import click

from cli.commands.options import confirm_cost, with_target, yes_option
from cli.target import Target

no_wait = click.option("--no-wait", is_flag=True, help="Do not wait for the Serving stack.")


def reason(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option --reason, which the registry and the champion's history keep."""
    return click.option("--reason", default=default, show_default=True, help="Why, for the record.")


@click.command()
@with_target
@click.argument("version")
@reason("approved by hand")
@click.option("--anyway", is_flag=True, help="Also if it was rejected.")
@no_wait
@yes_option
def approve(target: Target, version: str, reason: str, anyway: bool, no_wait: bool, yes: bool) -> None:
    """Approve a model VERSION (or ARN) of the registry: it is promoted.

    On AWS it says before what serving it costs, and asks.
    """
    from cli import cost, release
    from cli.console import say

    release.find(target, version)
    confirm_cost(target, cost.of_serving, yes)
    say(release.approve(target, version, reason, anyway))
    if not no_wait:
        _follow(target, release.find(target, version)["ModelPackageArn"])


@click.command()
@with_target
@click.argument("version")
@reason("rejected by hand")
def reject(target: Target, version: str, reason: str) -> None:
    """Reject a model VERSION (or ARN) of the registry that does not serve."""
    from cli import release
    from cli.console import say

    say(release.reject(target, version, reason))


@click.command()
@with_target
@reason("asked for with classifier retry")
@no_wait
def retry(target: Target, reason: str, no_wait: bool) -> None:
    """Try an approved model again that waits for a quota, an instance, a permission or its image."""
    from cli import champion, release
    from cli.console import say

    waits = champion.read(target).waits
    say(f"{release.ask(target, 'retry', reason)['action']}.")
    if not no_wait:
        stands = release.wait(target, say)
        release.must_serve(target, waits.package if waits else "")
        say(stands)


@click.command()
@with_target
@reason("asked for with classifier rollback")
@no_wait
def rollback(target: Target, reason: str, no_wait: bool) -> None:
    """Return to the previous champion; the present one is rejected."""
    from cli import champion

    _ask(target, "rollback", reason, no_wait, champion.read(target).model)


@click.command()
@with_target
@reason("asked for with classifier sleep")
@no_wait
def sleep(target: Target, reason: str, no_wait: bool) -> None:
    """Take the endpoint away to cost nothing; a picture, or `wake`, brings it back."""
    _ask(target, "sleep", reason, no_wait)


@click.command()
@with_target
@reason("asked for with classifier wake")
@no_wait
@yes_option
def wake(target: Target, reason: str, no_wait: bool, yes: bool) -> None:
    """Bring the endpoint of a sleeping model back.

    On AWS it says before what that costs, and asks.
    """
    from cli import cost

    confirm_cost(target, cost.of_serving, yes)
    _ask(target, "wake", reason, no_wait)


def _ask(target: Target, action: str, reason: str, no_wait: bool, model: str = "") -> None:
    from cli import release
    from cli.console import say

    answer = release.ask(target, action, reason, model)
    say(f"{answer['action']}.")
    if not no_wait:
        stands = release.wait(target, say)
        if action == "wake":
            release.must_be_awake(target)
        say(stands)


def _follow(target: Target, arn: str) -> None:
    from cli import release
    from cli.console import say

    release.await_decision(target, arn)
    stands = release.wait(target, say)
    release.must_serve(target, arn)
    say(stands)
