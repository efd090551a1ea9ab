"""The page of a run: what was proven, with the request ids, to be attached to a bug report.

The account's number is masked in it, and no body of a request is in it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from cli.target import ROOT
from tests.system.verify_aws import calls
from tests.system.verify_aws.calls import Call
from tests.system.verify_aws.plan import OWN
from tests.system.verify_aws.verification import Outcome, Record

NAME = "report.md"
_SHOWN = 4
_WORDS = 1500
_OUTCOMES = {
    Outcome.PROVEN: "all that was tried is proven, and everything was removed",
    Outcome.NOT_PROVEN: "not proven; everything was removed",
    Outcome.NOT_CLEAN: "something may be left in the account",
}


@dataclass(frozen=True)
class Claim:
    """One test: its name is what it claims."""

    name: str
    seconds: float
    outcome: str
    words: str = ""

    @property
    def sentence(self) -> str:
        return self.name.removeprefix("test_").replace("_", " ")


def write(record: Record) -> Path:
    """Write the page into the run's folder."""
    path = record.run.folder / NAME
    masked = "\n".join(_lines(record)).replace(record.who.account, "ACCOUNT")
    path.write_text(f"{masked}\n", encoding="utf-8")
    return path


def claims(file: Path) -> list[Claim]:
    """The tests that were run, from pytest's own report; none if it wrote none."""
    try:
        root = ElementTree.parse(file).getroot()  # written by pytest, on this machine
    except (OSError, ElementTree.ParseError):
        return []
    return [_claim(case) for case in root.iter("testcase")]


def _claim(case: ElementTree.Element) -> Claim:
    name, seconds = case.get("name", ""), float(case.get("time", 0))
    for outcome in ("failure", "error", "skipped"):
        if (found := case.find(outcome)) is not None:
            return Claim(name, seconds, outcome, f"{found.get('message', '')}\n{found.text or ''}".strip())
    return Claim(name, seconds, "proven")


def _lines(record: Record) -> Iterator[str]:
    found, seen = claims(record.run.folder / "tests.xml"), calls.read(record.run.calls)
    yield f"# verify-aws {record.run.name}: {_OUTCOMES[record.outcome()]}"
    yield ""
    yield f"{record.began} to {record.ended}, {record.who.region}, project {record.project}"
    yield f"commit {_commit()}, aws-cdk-lib {version('aws-cdk-lib')}, boto3 {version('boto3')}"
    yield f"{sum(map(len, seen.values()))} calls to AWS written down; CloudTrail has the functions' own"
    if record.interrupted:
        yield "It was stopped by its user."
    yield from (f"- **{step}**: {why}" for step, why in record.problems)
    yield from (f"- left: `{each}`" for each in record.left)
    yield ""
    yield "| claim | outcome | seconds | calls | request ids |"
    yield "| --- | --- | ---: | ---: | --- |"
    for claim in found:
        made = seen.get(f"tests--{claim.name.partition('[')[0]}", [])
        yield f"| {claim.sentence} | {claim.outcome} | {claim.seconds:.0f} | {len(made)} | {_ids(made)} |"
    for claim in found:
        if claim.outcome in ("failure", "error"):
            yield from ("", f"## {claim.sentence}", "", "```", claim.words[-_WORDS:], "```")
    yield from ("", "## What AWS refused", "")
    for part, made in seen.items():
        for call in made:
            if (
                call.status >= 400 and part != OWN
            ):  # the script asks for stacks of which it hopes that none is
                yield f"- {part}: {call.time} {_named(call)} {call.status} {call.error} {call.request_id}"


def _ids(made: list[Call]) -> str:
    """Some that tell the most: what changed something, the last first."""
    changing = [each for each in made if not each.operation.startswith(("Get", "Describe", "List", "Head"))]
    shown = (changing or made)[-_SHOWN:]
    return ", ".join(f"{_named(each)} `{each.request_id}`" for each in reversed(shown) if each.request_id)


def _named(call: Call) -> str:
    return f"{call.service}:{call.operation}"


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"
