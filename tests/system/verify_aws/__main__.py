"""The command line of `make verify-aws`."""

from __future__ import annotations

import argparse
import os
import sys

from cli.interrupt import treat_as_interrupt
from cli.target import ROOT, resolve
from tests.system import recorded
from tests.system.verify_aws import report
from tests.system.verify_aws.account import Account
from tests.system.verify_aws.journal import Journal
from tests.system.verify_aws.plan import Commands, dry_run
from tests.system.verify_aws.processes import Processes
from tests.system.verify_aws.verification import Outcome, Record, Verification


def main(arguments: list[str] | None = None) -> int:
    """Do what is asked for; the exit code is an `Outcome`."""
    parser = argparse.ArgumentParser(prog="make verify-aws", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="print every command and call, and make none")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--only", default="", metavar="EXPRESSION", help="of the tests those (pytest's -k)")
    parser.add_argument(
        "--clean",
        nargs="?",
        const="",
        default=None,
        metavar="RUN",
        help="only clean up after a run that died",
    )
    told = parser.parse_args(arguments)
    commands = Commands(told.only)
    if told.dry_run:
        print("\n".join(dry_run(commands)))
        return 0
    treat_as_interrupt()
    target = resolve("aws")
    verification = Verification(
        account=Account(target),
        processes=Processes(ROOT),
        journal=Journal(target.home / "verify-aws"),
        commands=commands,
        agree=lambda question: told.yes or _agreed(question),
        say=lambda text: print(text, flush=True),
        report=_report,
        write_down=lambda file: os.environ.__setitem__(recorded.FILE, str(file)),
    )
    try:
        return verification.verify() if told.clean is None else verification.clean(told.clean)
    except KeyboardInterrupt:
        print("Stopped. Nothing was deployed.")
        return Outcome.NOT_PROVEN


def _agreed(question: str) -> bool:
    try:
        return input(f"{question} Type yes: ").strip() == "yes"
    except EOFError:
        return False


def _report(record: Record) -> None:
    print(f"The report: {report.write(record)}")
    for step, why in record.problems:
        print(f"  {step}: {why}")
    for each in record.left:
        print(f"  left: {each}")


if __name__ == "__main__":
    recorded.write_down()
    sys.exit(main())
