"""What several commands share: the target option and asking before anything is billed or removed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from cli import environments
from cli.console import JSON, QUIET
from cli.errors import NotConfirmed
from cli.target import ROOT, Target, resolve

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
            metavar="KEY",
            default=default,
            show_default=True,
            help=f"By {', '.join(keys[:-1])} or {keys[-1]}: the newest, largest or best first, names from a.",
        )
        return sort(limit(function))

    return decorate


def place_options(function: Callable[..., None]) -> Callable[..., None]:
    """What chooses among several accounts, regions and projects."""
    options = (
        click.option(
            "--env", "environment", metavar="NAME", help="An environment of classifier.toml, such as prod."
        ),
        click.option("--profile", metavar="NAME", help="A profile of your AWS configuration."),
        click.option("--region", metavar="NAME", help="An AWS region, such as eu-west-1."),
    )
    return functools.reduce(lambda made, option: option(made), reversed(options), function)


def target_of(context: click.Context, *given: str | None) -> Target:
    """The target of --target, --env, --profile and --region, given after the command's name or before it."""
    before = context.find_root().params
    keys = ("kind", "environment", "profile", "region")
    kind, environment, profile, region = (
        value or before.get(key) for key, value in zip(keys, given, strict=True)
    )
    target = resolve(environments.kind_of(ROOT, environment or "", kind))
    return environments.chosen(target, environment or "", profile or "", region or "")


def with_target(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command its `target`, from --target before or after the command's name or CLASSIFIER_TARGET."""

    @click.option("--target", "kind", type=KINDS, help="Where to work: local (default) or aws.")
    @place_options
    @quiet_option
    @functools.wraps(function)
    def command(
        kind: str | None, environment: str | None, profile: str | None, region: str | None, **options: Any
    ) -> None:
        context = click.get_current_context()
        target = target_of(context, kind, environment, profile, region)
        context.find_root().obj = target
        function(target=target, **options)

    return command


yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
nothing_asked_option = click.option(
    "--yes", "-y", is_flag=True, expose_value=False, help="For scripts: this command never asks."
)
"""Every command that changes something takes --yes, so that nobody has to know which of them ask."""


def confirm(question: str, yes: bool, instead: str = "add --yes to agree") -> None:
    """Returns when the user agrees.

    Args:
        instead: what whoever cannot be asked is to type, for the error.

    Raises:
        NotConfirmed: they do not agree, or there is no terminal to ask on.
        KeyboardInterrupt: they leave by Ctrl-C or Ctrl-D.
    """
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty()):  # there is none at all where it was closed
        raise NotConfirmed(
            f"There is no terminal to ask on, so nothing was done: {instead}.\nThe question was: {question}"
        )
    try:
        agreed = click.confirm(question, default=False, err=True)  # standard output may be JSON
    except click.Abort:
        raise KeyboardInterrupt from None
    if not agreed:
        raise NotConfirmed("Nothing was done.")


def confirm_cost(target: Target, what: str | Callable[[Target], str], yes: bool) -> None:
    """On AWS, says what will be billed and asks; locally nothing is ever billed.

    Args:
        what: the words, or what finds them out, which then is asked on AWS only.
    """
    if not target.is_local:
        words = what if isinstance(what, str) else what(target)
        confirm(f"{words}\n{whereabouts(target)} Go on?", yes)


def whereabouts(target: Target) -> str:
    """Which account, region and project a command is about to change."""
    if target.is_local:
        return f"The local AWS at {target.endpoint_url}, project {target.project}."
    choice = target.choice
    profile = f" (profile {choice.profile})" if choice.profile else ""
    name = f"Environment {choice.name}: account" if choice.name else "Account"
    return f"{name} {target.account()}{profile}, region {target.region}, project {target.project}."
