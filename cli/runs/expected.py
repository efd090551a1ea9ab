"""What a run will probably take and cost: as earlier ones did, or as its recipe was measured.

That is said before it starts; what is left of one that is under way is in `remaining`.

A recipe says what was measured in a comment line of its head: `# measured: tune 44 s, train 20 s`, the
seconds of a search with its last training, and of a training alone, without the time that instances take to
start.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from cli.answers import duration
from cli.cost.prices import hourly_or_none
from cli.errors import CliError
from cli.runs import history, record
from cli.runs.launch import Launched
from cli.runs.pipeline_run import PipelineRun
from cli.target import Target
from contract import prices

_MEASURED: Final = re.compile(r"^# measured: tune (?P<tuning>[0-9]+) s, train (?P<training>[0-9]+) s$", re.M)
TUNING, TRAINING = "tuning", "training"


@dataclass(frozen=True)
class Expected:
    """What is expected of a run until its model is trained."""

    seconds: float
    usd: float | None
    """On AWS; None where a price is not known."""
    source: str
    """Where the figures are from, in words."""
    last: float = 0.0
    """Of the seconds, those of the last training; 0 where that is not known."""

    @property
    def search(self) -> float:
        """Of the seconds, those of the search."""
        return self.seconds - self.last

    @property
    def knows_parts(self) -> bool:
        """Whether it is known what a search takes, and what the last training."""
        return 0 < self.last < self.seconds

    def in_words(self, target: Target) -> str:
        """As in `about 0.02 USD, 4 min (as 3 earlier runs of this recipe)`."""
        cost = "" if target.is_local or self.usd is None else f"{_about(self.usd)}, "
        return f"about {cost}{duration(self.seconds)} ({self.source})"


def before(target: Target, request: dict[str, object], kind: str, planned: Launched) -> Expected | None:
    """Of a run that is to be started: as earlier runs of its recipe on its data set, else as was measured.

    Args:
        request: the launcher's.
        kind: `tuning` or `training`.
        planned: the launcher's answer to a dry run.
    """
    recipe, dataset = str(request["recipe"]), str(request["dataset"]).partition("@")[0]
    asked = {table: values for table, values in request.items() if isinstance(values, dict)}
    if earlier := of_earlier(target, recipe, dataset, kind, _tables(target.root, recipe, asked)):
        return earlier
    as_it_is = not asked
    return _measured(target.root, recipe, kind, planned) if as_it_is else None


def of_earlier(
    target: Target, recipe: str, dataset: str, kind: str, tables: Mapping[str, Any], but: str = ""
) -> Expected | None:
    """The middle of what the newest runs of a recipe on a data set took; None without any.

    Args:
        tables: the recipe's; runs with as much work to do are looked at.
        but: the run that is left out.
    """
    from botocore.exceptions import ClientError

    try:
        found = [each for each in history.like(target, recipe, dataset, kind, tables) if each.name != but]
    except (CliError, ClientError):  # who may start runs need not be able to list them
        return None
    if not found:
        return None
    known = [each.usd for each in found if each.usd is not None]
    runs = "an earlier run" if len(found) == 1 else f"{len(found)} earlier runs"
    return Expected(
        median(each.seconds for each in found),
        median(known) if known else None,
        f"as {runs} of this recipe on {dataset}",
        median(each.last for each in found),
    )


def of_run(target: Target, run: PipelineRun) -> Expected | None:
    """Of a run that is under way, by its own record; None where nothing is known, or it is trained."""
    if run.ended or run.package is not None:
        return None
    written = record.of(target, run.name)
    recipe, dataset = record.recipe_of(written), run.data.partition("@")[0]
    if not recipe:
        return None
    kind = TRAINING if run.tuning is None else TUNING
    earlier = of_earlier(target, recipe, dataset, kind, record.tables_of(written), but=run.name)
    return earlier or _measured(target.root, recipe, kind, None)


def _tables(root: Path, recipe: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """The checkout's recipe with what is asked for over it; of a recipe that is not here, that alone."""
    try:
        tables: dict[str, Any] = tomllib.loads((root / "recipes" / f"{recipe}.toml").read_text("utf-8"))
    except (OSError, ValueError):
        tables = {}
    for name, values in asked.items():
        found = tables.get(name)
        tables[name] = {**(found if isinstance(found, dict) else {}), **values}
    return tables


def _measured(root: Path, recipe: str, kind: str, planned: Launched | None) -> Expected | None:
    """What the recipe's head says; of the machines of `planned`, what that costs."""
    try:
        found = _MEASURED.search((root / "recipes" / f"{recipe}.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if found is None:
        return None
    seconds, usd = float(found[kind]), None
    machines = planned.machines if planned is not None else {}
    if machines:
        each = hourly_or_none(str(machines["instance_type"]), prices.TRAINING)
        count = machines["instance_count"] * machines["parallel_jobs"]
        usd = None if each is None else each * count * seconds / 3600
    source = "as its recipe was measured on a quiet machine, without starting instances"
    return Expected(seconds, usd, source, float(found[TRAINING]))


def _about(usd: float) -> str:
    return f"{usd:.2f} USD" if usd >= 0.01 else "less than 0.01 USD"
