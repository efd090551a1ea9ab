"""What several commands share: the target option and asking before anything is billed or removed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import click

from cli.console import JSON, QUIET
from cli.errors import NotConfirmed
from cli.target import Target, resolve

KINDS = click.Choice(["local", "aws"])


def _remember(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Keeps a flag where the console finds it."""
    if value:
        context.meta[QUIET if parameter.name == "quiet" else JSON] = True


quiet_option = click.option(
    "--quiet", "-q", is_flag=True, expose_value=False, callback=_remember, help="Print errors only."
)
json_option = click.option(
    "--json", is_flag=True, expose_value=False, callback=_remember, help="Print JSON, for programs."
)


def listing_options(
    keys: Sequence[str], default: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What every listing takes: by what it is sorted, and how much of it is shown."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        limit = click.option("--limit", "-n", type=click.IntRange(1), help="Show the first N only.")
        sort = click.option(
            "--sort",
            type=click.Choice(list(keys)),
            default=default,
            show_default=True,
            help="The newest, largest or best first; names from a to z.",
        )
        return sort(limit(function))

    return decorate


def with_target(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command its `target`, from --target before or after the command's name or CLASSIFIER_TARGET."""

    @click.option("--target", "kind", type=KINDS, help="Where to work: local (default) or aws.")
    @quiet_option
    @functools.wraps(function)
    def command(kind: str | None, **options: Any) -> None:
        context = click.get_current_context()
        target = resolve(kind or context.find_root().params.get("kind") or "local")
        context.find_root().obj = target
        function(target=target, **options)

    return command


yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def confirm(question: str, yes: bool) -> None:
    """Returns when the user agrees. Raises NotConfirmed where not, or without a terminal to ask on."""
    if yes:
        return
    try:
        agreed = click.confirm(question, default=False)
    except click.Abort:
        raise NotConfirmed(
            "Nothing was done: nobody said yes. Give --yes to go on without being asked."
        ) from None
    if not agreed:
        raise NotConfirmed("Nothing was done.")


def confirm_cost(target: Target, what: str | Callable[[Target], str], yes: bool) -> None:
    """On AWS, says what will be billed and asks; locally nothing is ever billed.

    Args:
        what: the words, or what finds them out, which then is asked on AWS only.
    """
    if not target.is_local:
        words = what if isinstance(what, str) else what(target)
        confirm(f"{words}\nAccount {target.account()}, region {target.region}. Go on?", yes)
