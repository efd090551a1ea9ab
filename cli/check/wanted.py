"""What the settings and recipes want of an account, as `python check.py` tells it.

The settings are the CDK app's: it alone knows their defaults, so it is asked, and nothing here reads
cdk.json. What it would deploy, with every name, it writes as templates. Of a run that is to be started now
the deployed launcher is asked instead, whose dry run knows overrides and the user's own recipes too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.cdk import context_arguments
from cli.check.templates import Templates
from cli.errors import WouldFail
from cli.launch import Launched
from cli.target import ROOT, Target, node_bin


@dataclass(frozen=True)
class Launch:
    """What one run has at a time, and the most it can cost."""

    name: str
    """The recipe's."""
    instance_type: str
    instance_count: int
    parallel_jobs: int
    spot: bool
    most_usd: float | None
    asked_for: bool
    """Whether this run is to be started, and not only could be."""
    instance_types: tuple[str, ...] = ()
    """Where several may do, all of them, the first choice first."""

    @property
    def types(self) -> tuple[str, ...]:
        """What its jobs may be on, the first choice first."""
        return self.instance_types or (self.instance_type,)

    @property
    def instances(self) -> int:
        """All that its trials have at a time."""
        return self.parallel_jobs * self.instance_count


@dataclass(frozen=True)
class Lack:
    """Something the region does not have, and what to do."""

    wrong: str
    mend: str


@dataclass(frozen=True)
class Wanted:
    """What the settings want, defaults included."""

    project: str
    training_types: tuple[str, ...]
    """The first that can be had is taken."""
    endpoint_types: tuple[str, ...]
    """As those; none: the endpoint has no instances."""
    fixed_types: tuple[str, ...]
    """Those of them on which an endpoint does not scale."""
    min_instances: int
    max_instances: int
    serverless_concurrency: int
    serverless_memory_mb: int
    account_log_role: str
    launches: tuple[Launch, ...]
    lacks: tuple[Lack, ...]
    templates: Templates
    """What would be deployed; empty where only a run is looked at."""


def read(target: Target, recipes: tuple[str, ...]) -> Wanted:
    """What this checkout's settings and all its recipes want.

    Raises:
        WouldFail: settings or a recipe cannot be used.
    """
    files = {path.stem: path for path in sorted((target.root / "recipes").glob("*.toml"))}
    for name in recipes:
        if name not in files:
            raise WouldFail(f"There is no recipe {name!r} in recipes/. There are: {', '.join(files)}.")
    folder = Path(tempfile.mkdtemp(prefix="classifier-check-"))
    try:
        told = _ask(
            target,
            ["--templates", str(folder), "--region", target.region, *_each("--recipe", files.values())],
        )
        templates = Templates.read(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    launches = [_launch(each["recipe"], each, each["recipe"] in recipes) for each in told["recipes"]]
    return _wanted(told, launches, templates)


def read_launch(target: Target, planned: Launched) -> Wanted:
    """What a planned run and the settings want.

    Raises:
        WouldFail: the settings cannot be used.
    """
    told = _ask(target, [])
    plan = {"machines": planned.machines, "cost": {"most_usd": planned.most_usd}}
    launches = [_launch(planned.run, plan, True)] if planned.machines else []
    return _wanted(told, launches, Templates())


def read_serving(target: Target) -> Mapping[str, Any]:
    """What this checkout's settings say about the endpoint, defaults included.

    Raises:
        WouldFail: the settings cannot be used.
    """
    serving: Mapping[str, Any] = _ask(target, [])["serving"]
    return serving


def _ask(target: Target, arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "check.py"), "--json", *context_arguments(target), *arguments],
        cwd=target.root,
        env=os.environ | {"PATH": os.pathsep.join([str(node_bin()), os.environ.get("PATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WouldFail(f"{done.stderr.strip()}\nNothing was started.")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _each(option: str, values: Iterable[Path]) -> list[str]:
    return [word for value in values for word in (option, str(value))]


def _launch(name: str, told: Mapping[str, Any], asked_for: bool) -> Launch:
    machines = {**told["machines"], "instance_types": tuple(told["machines"].get("instance_types", ()))}
    return Launch(name=name, **machines, most_usd=told["cost"]["most_usd"], asked_for=asked_for)


def _wanted(told: Mapping[str, Any], launches: Iterable[Launch], templates: Templates) -> Wanted:
    serving = told["serving"]
    return Wanted(
        project=told["project"],
        training_types=tuple(told["training_instance_types"]),
        endpoint_types=tuple(serving["instance_types"]),
        fixed_types=tuple(serving["fixed_types"]),
        min_instances=serving["min_instances"],
        max_instances=serving["max_instances"],
        serverless_concurrency=serving["serverless_concurrency"],
        serverless_memory_mb=serving["serverless_memory_mb"],
        account_log_role=told["account_log_role"],
        launches=tuple(launches),
        lacks=tuple(Lack(**each) for each in told["lacks"]),
        templates=templates,
    )
