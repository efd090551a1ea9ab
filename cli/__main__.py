"""The `classifier` command: deploy, upload, tune, watch, classify, remove. Read here what there is and where.

Each command's options are in `commands/<name>.py`, its work in a module beside this one: `check`, `bring_up`
(local_server, cdk, stacks), `bring_data` (dataset, pictures, splits, upload), `launch`, `watch` (chain,
chain_reader, render_chain), `api`, `outputs`, `weights`, `tuning_search`, `removal`,
`demo`. Everything talks to AWS's APIs only; `target` says which AWS.
"""

from __future__ import annotations

import os
import sys

import click

from cli.commands.check import check
from cli.commands.classify import classify
from cli.commands.cost import cost
from cli.commands.demo import demo
from cli.commands.demo_data import demo_data
from cli.commands.destroy import destroy
from cli.commands.down import down
from cli.commands.launch import train, tune
from cli.commands.options import KINDS
from cli.commands.outputs import outputs
from cli.commands.release import approve, reject, retry, rollback, sleep, wake
from cli.commands.report import compare, report
from cli.commands.status import status
from cli.commands.stop import stop
from cli.commands.tuning_report import tuning_report
from cli.commands.up import up
from cli.commands.upload import upload
from cli.commands.weights import weights
from cli.errors import CliError, explain
from cli.interrupt import Interrupted, treat_as_interrupt
from cli.proxies import spare_loopback

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--target",
    "kind",
    type=KINDS,
    envvar="CLASSIFIER_TARGET",
    default="local",
    show_default=True,
    help="Where to work: the local AWS, or your AWS account.",
)
def cli(kind: str) -> None:
    """From a folder of labelled pictures to a classifier behind an API, on AWS or on this machine."""


for command in (
    *(up, down, upload, weights, tune, train, tuning_report, status, stop, classify, outputs, cost, destroy),
    *(check, report, compare, approve, reject, retry, rollback, sleep, wake, demo_data, demo),
):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; every foreseen error becomes one message on stderr and exit 1 (usage: 2)."""
    treat_as_interrupt()
    spare_loopback(os.environ)
    try:
        with cli.make_context("classifier", sys.argv[1:] if arguments is None else arguments) as context:
            sys.exit(_run(context))
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def _run(context: click.Context) -> int:
    try:
        cli.invoke(context)
    except Interrupted as stop:
        return _fail(str(stop), INTERRUPTED)
    except (KeyboardInterrupt, click.Abort):
        return _fail("Stopped.", INTERRUPTED)
    except CliError as error:
        return _fail(str(error), 1)
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        message = explain(error, context.obj)
        if message is None:
            raise
        return _fail(message, 1)
    return 0


def _fail(message: str, code: int) -> int:
    from cli.console import error_console

    error_console().print(
        f"\n{message}" if code == INTERRUPTED else f"Error: {message}", style="red", markup=False
    )
    return code


if __name__ == "__main__":
    main()
