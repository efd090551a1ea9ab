"""Which model serves, decided by hand: `approve`, `reject`, `retry`, `rollback`, `sleep` and `wake`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from cli.commands.options import confirm, confirm_cost, nothing_asked_option, with_target, yes_option
from cli.console import say
from cli.cost.spending import of_serving
from cli.files import nothing
from cli.release import champion, promotion, registry
from cli.target import Target

_no_wait = click.option("--no-wait", is_flag=True, help="Do not wait for the Serving stack.")


def _reason(default: str) -> Callable[..., Any]:
    return click.option("--reason", default=default, show_default=True, help="Why, for the record.")


@click.command()
@with_target
@click.argument("version")
@_reason("approved by hand")
@click.option("--anyway", is_flag=True, help="Also if it was rejected.")
@_no_wait
@yes_option
def approve(target: Target, version: str, reason: str, anyway: bool, no_wait: bool, yes: bool) -> None:
    """Approve a model VERSION (or ARN) of the registry: it is promoted.

    On AWS it says before what serving it costs, and asks; so it does where callers would get other classes.
    """
    package = registry.find(target, version)
    confirm_cost(target, of_serving, yes)
    if changes := promotion.other_classes(target, package):
        confirm(f"{changes} Go on?", yes)
    say(promotion.approve(target, version, reason, anyway))
    if not no_wait:
        arn = package["ModelPackageArn"]
        promotion.await_decision(target, arn)
        _wait(target, lambda: promotion.must_serve(target, arn))


@click.command()
@with_target
@click.argument("version")
@_reason("rejected by hand")
@nothing_asked_option
def reject(target: Target, version: str, reason: str) -> None:
    """Reject a model VERSION (or ARN) of the registry that does not serve."""
    say(promotion.reject(target, version, reason))


@click.command()
@with_target
@_reason("asked for with classifier retry")
@_no_wait
@yes_option
def retry(target: Target, reason: str, no_wait: bool, yes: bool) -> None:
    """Try an approved model again that waits for a quota, an instance, a permission or its image.

    On AWS it says before what serving it costs, and asks.
    """
    confirm_cost(target, of_serving, yes)
    waits = champion.read(target).waits
    _ask(target, "retry", reason)
    if not no_wait:
        _wait(target, lambda: promotion.must_serve(target, waits.package if waits else ""))


@click.command()
@with_target
@_reason("asked for with classifier rollback")
@_no_wait
@nothing_asked_option
def rollback(target: Target, reason: str, no_wait: bool) -> None:
    """Return to the previous champion; the present one is rejected."""
    _ask(target, "rollback", reason, champion.read(target).model)
    if not no_wait:
        _wait(target)


@click.command()
@with_target
@_reason("asked for with classifier sleep")
@_no_wait
@nothing_asked_option
def sleep(target: Target, reason: str, no_wait: bool) -> None:
    """Take the endpoint away to cost nothing; a picture, or `wake`, brings it back."""
    _ask(target, "sleep", reason)
    if not no_wait:
        _wait(target)


@click.command()
@with_target
@_reason("asked for with classifier wake")
@_no_wait
@yes_option
def wake(target: Target, reason: str, no_wait: bool, yes: bool) -> None:
    """Bring the endpoint of a sleeping model back.

    On AWS it says before what that costs, and asks.
    """
    confirm_cost(target, of_serving, yes)
    _ask(target, "wake", reason)
    if not no_wait:
        _wait(target, lambda: promotion.must_be_awake(target))


def _ask(target: Target, action: str, reason: str, model: str = "") -> None:
    done = str(promotion.ask(target, action, reason, model)["action"])
    say(f"{done[:1].upper()}{done[1:]}.")


def _wait(target: Target, must: Callable[[], None] = nothing) -> None:
    """Until the stack has carried it out; `must` raises where something else came of it."""
    outcome = promotion.wait(target, say)
    must()
    say(outcome)
