"""What can go wrong at the command line: each error's message names the thing and the remedy."""

from __future__ import annotations

import os
from enum import IntEnum
from typing import IO, Any, Self

import click


class ExitCode(IntEnum):
    """What a command ends with, and when, in the words of docs/command.md."""

    means: str

    def __new__(cls, value: int, means: str) -> Self:
        made = int.__new__(cls, value)
        made._value_, made.means = value, means
        return made

    OK = 0, "it went well; a run that sleeps, waits or was superseded is no failure"
    ERROR = (
        1,
        "something you can do something about, which the message says; a run that failed; a check that found "
        "something wrong; with `classify`, a picture without an answer; a question that was not answered "
        "with yes",
    )
    USAGE = (
        2,
        "what was typed: a wrong option; a name, a file or an environment that is missing, is not there, or "
        "means several things",
    )
    REFUSED = 3, "with `--watch`: the quality gate refused the model"
    STOPPED = 4, "with `--watch`: the run was stopped"
    INTERRUPTED = 130, "Ctrl-C, or a polite kill"
    BROKEN_PIPE = 141, "whoever read the output went away, as `head` does"


class CliError(click.ClickException):
    """A mistake or a state the user can do something about; Click shows the message and ends with 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        # https://no-color.org; Click itself looks only whether it is a terminal.
        plain = False if os.environ.get("NO_COLOR") else None
        click.secho(f"Error: {self.message}", file=file, err=True, fg="red", color=plain)


class BadArgument(CliError):
    """What was typed is not there, or cannot be used as it is. Nothing was done."""

    exit_code = ExitCode.USAGE


class Ambiguous(BadArgument):
    """A part of a name that several things have; the message lists them."""


class NoSuchFile(BadArgument):
    """A file or a folder that was named is not there, or holds nothing that can be used."""


class BadTarget(BadArgument):
    """The target, its port, its region or its environment cannot be used as given."""


class PortTaken(CliError):
    """Something else listens where the local AWS should."""


class LocalAwsFailed(CliError):
    """The local AWS stopped or never became ready."""


class WouldFail(CliError):
    """Something that would have failed later; nothing was started or deployed."""


class NoSuchRecipe(WouldFail, BadArgument):
    """A recipe that was named is not there."""


class NotConfirmed(CliError):
    """The user was asked and did not say yes."""


class NotUp(CliError):
    """The local AWS of this checkout is not up."""


class CdkFailed(CliError):
    """The CDK CLI ended with an error."""


class NotDeployed(CliError):
    """A stack this command needs is not there."""


class LaunchRefused(CliError):
    """A launcher Lambda refused the request, or failed."""


class UnknownToLauncher(LaunchRefused, BadArgument):
    """A launcher Lambda knows nothing of a name in the request."""


class RunFailed(CliError):
    """A run ended without a serving model."""


class RequestFailed(CliError):
    """The API answered with an error, or not at all."""
