"""What can go wrong at the command line: each error's message names the thing and the remedy."""

from __future__ import annotations

import os
from enum import IntEnum
from typing import IO, Any

import click


class ExitCode(IntEnum):
    """What a command ends with (docs/command.md)."""

    OK = 0
    ERROR = 1
    """Something the user can do something about, which the message says; or a run that failed."""
    USAGE = 2
    """A wrong option, or an argument that is missing or means several things. Click's own."""
    REFUSED = 3
    """With --watch: the quality gate refused the model."""
    STOPPED = 4
    """With --watch: somebody stopped the run."""
    INTERRUPTED = 130
    """Ctrl-C, or a polite kill."""
    BROKEN_PIPE = 141
    """Whoever read the output went away."""


class CliError(click.ClickException):
    """A mistake or a state the user can do something about; Click shows the message and ends with 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        # https://no-color.org; Click itself looks only whether it is a terminal.
        plain = False if os.environ.get("NO_COLOR") else None
        click.secho(f"Error: {self.message}", file=file, err=True, fg="red", color=plain)


class Ambiguous(CliError):
    """A part of a name that several things have; the message lists them."""

    exit_code = ExitCode.USAGE


class NoSuchFile(CliError):
    """A file or a folder that was named is not there, or holds nothing that can be used."""

    exit_code = ExitCode.USAGE


class BadTarget(CliError):
    """The target, its port, its region or its environment cannot be used as given."""


class PortTaken(CliError):
    """Something else listens where the local AWS should."""


class LocalAwsFailed(CliError):
    """The local AWS stopped or never became ready."""


class WouldFail(CliError):
    """Something that would have failed later; nothing was started or deployed."""


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


class RunFailed(CliError):
    """A run ended without a serving model."""


class RequestFailed(CliError):
    """The API answered with an error, or not at all."""
