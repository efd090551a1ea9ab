"""A recipe's [race]: the networks among which its training begins to choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract import networks
from contract.race import MAX_NETWORKS
from functions.common.errors import InvalidRecipe, suggest
from functions.common.recipes.keys import quoted

Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RaceTable:
    """The table, with its defaults.

    Attributes:
        networks: those that start from published weights.
        fresh: those that start from none.
        finalists: how many of the best are searched.
    """

    networks: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    max_ms: float | None = None
    max_mb: float | None = None
    max_minutes: int | None = None
    finalists: int = 1

    @property
    def entrants(self) -> tuple[tuple[str, bool], ...]:
        """Each network, and whether it is fresh."""
        return (*((each, False) for each in self.networks), *((each, True) for each in self.fresh))


def of(tables: Tables) -> RaceTable | None:
    """The race of a recipe's checked tables; None where it names its network itself."""
    if "race" not in tables:
        return None
    values: dict[str, Any] = dict(tables["race"])
    names = {key: tuple(values.pop(key, ())) for key in ("networks", "fresh")}
    return RaceTable(networks=names["networks"], fresh=names["fresh"], **values)


def check(tables: Tables, source: str) -> None:
    """See that a race can be run.

    Raises:
        InvalidRecipe: it cannot; the message says what to change.
    """
    race = of(tables)
    if race is None:
        return
    where = f"{source}: [race]"
    if "tuning" not in tables:
        raise InvalidRecipe(f"{where} is followed by a search: give the recipe [tuning]")
    others = {name: tables.get(name, {}) for name in ("model", "final")}
    for name, table in (others | {"tuning.ranges": tables["tuning"].get("ranges", {})}).items():
        if "arch" in table:
            raise InvalidRecipe(f"{where} chooses the network: leave arch out of [{name}], or [race] out")
    _check_networks(race, tables["model"].get("trainable_from", networks.STEM), where)


def _check_networks(race: RaceTable, trainable_from: str, where: str) -> None:
    names = [name for name, _ in race.entrants]
    if not 2 <= len(names) <= MAX_NETWORKS:
        raise InvalidRecipe(
            f"{where} has {len(names)} networks in networks and fresh; it takes 2 to {MAX_NETWORKS}"
        )
    if len(set(names)) < len(names):
        raise InvalidRecipe(f"{where} names a network twice")
    for name in names:
        if name not in networks.names():
            near = suggest(name, networks.names()) or "; docs/networks.md names some"
            raise InvalidRecipe(f"{where}: timm has no classification network {quoted(name)}{near}")
        if why := networks.why_no_stage(name, trainable_from):
            raise InvalidRecipe(f"{where}: {why}; trainable_from = head or stem fits every network")
    if not race.networks and race.finalists > 1:
        raise InvalidRecipe(f"{where}: finalists = {race.finalists} needs networks with published weights")
