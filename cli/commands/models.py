"""`classifier models`: the versions of the model registry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import click

from cli import answers
from cli.commands.options import json_option, listing_options, with_target
from cli.console import console, say
from cli.release import champion
from cli.release.registry import packages
from cli.runs.jobs import number
from cli.target import Target
from contract.decisions import Decision, Reason
from contract.names import run_of, version_of

KEYS = ("version", "accuracy", "created", "approval", "run", "latency_ms", "size_mb")


@click.command()
@with_target
@listing_options(KEYS, default="version")
@json_option
def models(target: Target, sort: str, limit: int | None) -> None:
    """List the models of the registry (the newest 100 at most), and which of them serves."""
    now = champion.read(target)
    rows = answers.ordered([row(package, now) for package in packages(target)], sort, limit)
    if answers.wrote(answers.Kind.MODELS, rows):
        return
    if not rows:
        how = target.command("tune --recipe RECIPE --dataset NAME")
        say(f"There is no model yet. A run makes one: {how}")
        return
    columns = ("version", "state", "approval", "accuracy", "ms", "MB", "made", "run", "why")
    console().print(answers.Listing(columns, [_cells(each) for each in rows], ("accuracy", "ms", "MB")))


def row(package: Mapping[str, Any], now: Decision) -> dict[str, Any]:
    """A model for a listing. `state` is `serving`, `asleep`, `waiting` or nothing."""
    arn = package["ModelPackageArn"]
    metadata = package.get("CustomerMetadataProperties", {})
    waits = now.waits.package if now.waits else ""
    states = {waits: "waiting", now.asleep: "asleep", now.package: "serving"}
    return {
        "version": int(version_of(arn)),
        "state": states.get(arn, ""),
        "approval": package.get("ModelApprovalStatus", ""),
        "accuracy": number(metadata.get("test_accuracy", "")),
        "latency_ms": number(metadata.get("latency_ms", "")),
        "size_mb": number(metadata.get("size_mb", "")),
        "created": package["CreationTime"].astimezone(UTC).isoformat(timespec="seconds"),
        "run": run_of(metadata.get("training_job", "")),
        "reason": Reason.of_package(package.get("ApprovalDescription", "")).in_words,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(row["version"]),
        row["state"],
        row["approval"],
        answers.number(row["accuracy"], ".4f"),
        answers.number(row["latency_ms"], ".1f"),
        answers.number(row["size_mb"], ".1f"),
        answers.minute(row["created"]),
        row["run"],
        row["reason"],
    )
