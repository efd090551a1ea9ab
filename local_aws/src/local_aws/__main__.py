"""`python -m local_aws --port 4566 --state .local/aws` runs the local AWS in the foreground."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import NoReturn

from local_aws.quotas import profiles
from local_aws.server import Settings, run


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; the exit code."""
    parser = argparse.ArgumentParser(prog="local_aws", description="The laptop's AWS.")
    parser.add_argument("--port", type=int, default=4566, help="port on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps everything between runs")
    parser.add_argument("--region", default=Settings.region, help="default: %(default)s")
    parser.add_argument(
        "--account", type=_account, default=Settings.account, help="twelve digits (default: %(default)s)"
    )
    parser.add_argument(
        "--label", default="", help="kept in the state folder's lock file beside the process id"
    )
    parser.add_argument(
        "--release",
        type=int,
        metavar="FD",
        help="an inherited file descriptor, closed as soon as the state folder is locked: a lock that "
        "whoever starts the server holds by it lasts until then",
    )
    options = parser.parse_args(arguments)
    options.state = options.state.resolve()
    try:
        profiles.chosen()
    except profiles.UnknownProfileError as problem:
        parser.error(str(problem))
    return run(Settings(**vars(options)))


def _account(text: str) -> str:
    if not re.fullmatch(r"\d{12}", text):
        raise argparse.ArgumentTypeError(f"an account's id has twelve digits: {text!r}")
    return text


def serve() -> NoReturn:
    """Run from a shell, and end whatever still waits."""
    code = main()
    sys.stdout.flush()
    # A thread in the middle of a stack operation cannot be told to end; everything is saved, so leave it.
    os._exit(code)


if __name__ == "__main__":
    serve()
