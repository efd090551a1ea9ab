"""The `classifier` command: what there is to run.

Each command is in `commands/<name>.py`, or beside its like (`TOGETHER`). Larger work has rooms: `check` (what
the account lacks), `deploy` (CDK, and changing an endpoint that serves), `data` (a folder becomes a dataset),
`corrections` (what senders gave), `runs` (launched, read, judged, drawn), `batch` (many pictures answered at
once), `select` (which of those to label next), `release` (registry and champion), `cost`, and `local` (the
local AWS as a process). What all use stands beside this file: `target` is which AWS, `aws` how it is asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from cli import terminal
from cli.choice import program
from cli.commands.options import KINDS
from cli.errors import CliError, ExitCode
from cli.explain import explain
from cli.interrupt import Interrupted, treat_as_interrupt
from cli.synonyms import ALIASES, MEANT
from cli.target import spare_loopback
from cli.version import version_option
from contract.words import did_you_mean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Mapping[str, str] = {
    "approve": "Approve a model: it is promoted.",
    "batch": "Answer a whole folder or prefix.",
    "check": "Say what the account lacks.",
    "classify": "Ask the API about pictures (or: predict).",
    "compare": "Write a page of several training jobs.",
    "completion": "Print what completes words in your shell.",
    "corrections": "Review pictures that senders gave.",
    "cost": "Show what was spent, and what costs now.",
    "dataset": "Show, compare or restore versions.",
    "datasets": "List the data sets.",
    "demo": "Everything once, with handwritten digits.",
    "demo-data": "Write handwritten digits to a folder.",
    "destroy": "Remove every stack with its endpoint.",
    "doctor": "Say what is wrong with pictures.",
    "down": "Stop the local AWS.",
    "export": "Write a model as ONNX.",
    "logs": "Print what a job or a function writes.",
    "models": "List the models of the registry.",
    "outputs": "Show the URLs, the API key, the buckets.",
    "recipes": "List the recipes.",
    "reject": "Reject a model that does not serve.",
    "report": "Write the page of a training job.",
    "retry": "Try a model that waits again.",
    "rollback": "Return to the previous champion.",
    "runs": "List the runs, with time and cost.",
    "select": "Choose which pictures to label next.",
    "sleep": "Take the endpoint away to cost nothing.",
    "status": "Show a run from tuning to endpoint.",
    "stop": "End all of a run.",
    "train": "Train once, without a search.",
    "tune": "Search for the best hyperparameters.",
    "tuning-report": "Write a page about a search.",
    "race-report": "Write a page about a race of networks.",
    "up": "Deploy all stacks (or: deploy).",
    "upload": "Make a folder a data set's new version.",
    "wake": "Bring a sleeping endpoint back.",
    "weights": "Stage starting weights for jobs.",
}
TOGETHER = {
    **dict.fromkeys(("approve", "reject", "retry", "rollback", "sleep", "wake"), "release"),
    **dict.fromkeys(("compare", "tuning-report", "race-report"), "report"),
    **dict.fromkeys(("train", "tune"), "launch"),
    "down": "up",
}
"""The file of those commands that share one with their like."""


class Commands(click.Group):
    """Imports a command when it is run, and none for the list of them.

    Source: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        cmd_name = ALIASES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"cli.commands.{TOGETHER.get(cmd_name, name)}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            near = f' Did you mean "{MEANT[word]}"?' if word in MEANT else did_you_mean(word, COMMANDS)
            ctx.fail(f"There is no command {word!r}.{near}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As Click's, without an import of every command for its help."""
        from click.shell_completion import CompletionItem

        words = [CompletionItem(name, help=COMMANDS[name]) for name in self.list_commands(ctx)]
        found = [word for word in words if str(word.value).startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """As Click's; what comes from below becomes an error that Click shows."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            raise Interrupted("Stopped.") from None
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            raise click.exceptions.Exit(ExitCode.BROKEN_PIPE) from None
        except Exception as error:
            message = explain(error, ctx.obj)
            if message is None:
                raise
            raise CliError(message) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target",
    "kind",
    type=KINDS,
    envvar="CLASSIFIER_TARGET",
    help="Where to work: local (default), or your AWS account.",
)
@click.option(
    "--env", "environment", metavar="NAME", envvar="CLASSIFIER_ENV", help="An environment of classifier.toml."
)
@click.option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
@click.option("--region", metavar="NAME", help="An AWS region, such as eu-west-1.")
@version_option
def cli(kind: str | None, environment: str | None, profile: str | None, region: str | None) -> None:
    """From a folder of labelled pictures to a classifier behind an API, on AWS or on this machine."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line. What it ends with is in `cli.errors.ExitCode`."""
    terminal.prepare()
    treat_as_interrupt()
    spare_loopback(os.environ)
    try:
        cli.main(arguments, prog_name=program(), complete_var="_CLASSIFIER_COMPLETE")
    finally:
        terminal.finish()


if __name__ == "__main__":
    main()
