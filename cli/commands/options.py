"""What several commands share: the target option and asking before anything is billed or removed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from cli.errors import NotConfirmed
from cli.target import Target, resolve

KINDS = click.Choice(["local", "aws"])


def with_target(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command its `target`, from --target before or after the command's name or CLASSIFIER_TARGET."""

    @click.option("--target", "kind", type=KINDS, help="Where to work: local (default) or aws.")
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
