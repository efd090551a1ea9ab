"""What the settings and recipes want of an account, as `check.py` answers.

What the CDK app would deploy, with every name, it writes as templates. Of a run that is to be started now
the deployed launcher is asked instead, whose dry run knows overrides and the user's own recipes too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.check.templates import Templates
from cli.deploy.settings import stacks_check
from cli.errors import NoSuchRecipe
from cli.runs.launch import Launched
from cli.target import Target


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
    shadow_instances: int
    """Beside those, while a candidate is compared with the champion; 0: none is."""
    serverless_concurrency: int
    serverless_memory_mb: int
    account_log_role: str
    retrain_usd_month: int
    """What searches that start by themselves may cost a month at most; 0: none does."""
    launches: tuple[Launch, ...]
    lacks: tuple[Lack, ...]
    templates: Templates
    """What would be deployed; empty where only a run is looked at."""


def read(target: Target, recipes: tuple[str, ...]) -> Wanted:
    """What this checkout's settings want, and these recipes, which will be run; without any, what all could.

    Raises:
        NoSuchRecipe: one of `recipes` is not there.
        WouldFail: settings or a recipe cannot be used.
    """
    files = {path.stem: path for path in sorted((target.root / "recipes").glob("*.toml"))}
    for name in recipes:
        if name not in files:
            raise NoSuchRecipe(f"There is no recipe {name!r} in recipes/. There are: {', '.join(files)}.")
    chosen = [word for name in dict.fromkeys(recipes or files) for word in ("--recipe", str(files[name]))]
    with tempfile.TemporaryDirectory(prefix="classifier-check-", ignore_cleanup_errors=True) as folder:
        answer = stacks_check(target, ["--templates", folder, "--region", target.region, *chosen])
        templates = Templates.read(Path(folder))
    launches = [_launch(each["recipe"], each, asked_for=bool(recipes)) for each in answer["recipes"]]
    return _wanted(answer, launches, templates)


def read_launch(target: Target, planned: Launched) -> Wanted:
    """What a planned run and the settings want. Raises WouldFail where the settings cannot be used."""
    answer = stacks_check(target, [])
    plan = {"machines": planned.machines, "cost": {"most_usd": planned.most_usd}}
    launches = [_launch(planned.run, plan, asked_for=True)] if planned.machines else []
    return _wanted(answer, launches, Templates())


def _launch(name: str, answer: Mapping[str, Any], *, asked_for: bool) -> Launch:
    machines = {**answer["machines"], "instance_types": tuple(answer["machines"].get("instance_types", ()))}
    return Launch(name=name, **machines, most_usd=answer["cost"]["most_usd"], asked_for=asked_for)


def _wanted(answer: Mapping[str, Any], launches: Iterable[Launch], templates: Templates) -> Wanted:
    serving = answer["serving"]
    return Wanted(
        project=answer["project"],
        training_types=tuple(answer["training_instance_types"]),
        endpoint_types=tuple(serving["instance_types"]),
        fixed_types=tuple(serving["fixed_types"]),
        min_instances=serving["min_instances"],
        max_instances=serving["max_instances"],
        shadow_instances=serving["shadow_instances"],
        serverless_concurrency=serving["serverless_concurrency"],
        serverless_memory_mb=serving["serverless_memory_mb"],
        account_log_role=answer["account_log_role"],
        retrain_usd_month=answer["retrain_usd_month"],
        launches=tuple(launches),
        lacks=tuple(Lack(**each) for each in answer["lacks"]),
        templates=templates,
    )
