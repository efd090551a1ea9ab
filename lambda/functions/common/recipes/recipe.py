"""A recipe: which model, which data handling, how to train, what to search. Read from TOML, checked whole,
frozen.

`parse` reads a file; `Recipe.with_overrides` puts a request's own values over it and checks again. The
first thing that is wrong raises `InvalidRecipe` naming the key, where it stands and what is allowed, so
that a misspelt key never becomes a silent default. What a recipe leaves out of [model], [data] and
[training] the training code decides.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract import instances, networks, prices
from contract.bounds import Number
from contract.hyperparameters import unquoted, why_not_in_time
from functions.common.errors import InvalidRecipe, listed, suggest
from functions.common.recipes import race
from functions.common.recipes.keys import HYPERPARAMETERS, REQUIRED, TABLES, Flag, Key, check, quoted
from functions.common.recipes.ranges import Range
from functions.common.recipes.tuning import Tuning, read_tuning

Table = dict[str, Any]

MAX_RECIPE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Recipe:
    """A checked recipe. `tables` is the whole of it in TOML's shape: what run.json keeps and `from_tables`
    reads.
    """

    name: str
    source: str
    """Where it was read, for messages."""
    tables: Mapping[str, Table]
    tuning: Tuning | None

    @property
    def hyperparameters(self) -> Table:
        """The keys of [model], [data] and [training], flat."""
        return {
            key: value for table in ("model", "data", "training") for key, value in self.table(table).items()
        }

    @property
    def final(self) -> Table:
        """[final]: what the last training does differently, flat."""
        return self.table("final")

    def table(self, name: str) -> Table:
        """One table, empty when the recipe has none."""
        return dict(self.tables.get(name, {}))

    @property
    def race(self) -> race.RaceTable | None:
        """The networks of which one is chosen first; None where [model] names it."""
        return race.of(self.tables)

    def entered(self, network: str, *, fresh: bool) -> Recipe:
        """The recipe of this network, without the race; a fresh one has nothing that could be kept frozen."""
        own = {"weights": "none", "trainable_from": networks.STEM} if fresh else {}
        return self.with_overrides({"model": {"arch": network, **own}})

    def with_overrides(self, overrides: Mapping[str, object]) -> Recipe:
        """This recipe with the request's tables over it, key by key.

        A hyperparameter that the request sets itself is no longer searched: its range is left out. So is the
        race, where it sets the network.

        Raises:
            InvalidRecipe: an override that is unknown or not allowed, or one that makes the whole
            inconsistent.
        """
        if not overrides:
            return self
        asked = _checked(overrides, "the request", whole=False)
        pinned = {key for table in ("model", "data", "training") for key in asked.get(table, {})}
        merged = {name: dict(table) for name, table in self.tables.items()}
        for name, table in asked.items():
            ranges = {**merged.get(name, {}).get("ranges", {}), **_merged_ranges(merged, table)}
            merged[name] = {
                **merged.get(name, {}),
                **table,
                **({"ranges": ranges} if name == "tuning" else {}),
            }
        if "arch" in pinned and "race" not in asked:
            merged.pop("race", None)  # whoever names a network wants no race
        if "tuning" in merged:
            ranges = merged["tuning"].get("ranges", {})
            merged["tuning"]["ranges"] = {key: value for key, value in ranges.items() if key not in pinned}
        return from_tables(self.name, merged, f"{self.source} with the request's own values")


def parse(name: str, text: str, source: str) -> Recipe:
    """The recipe of a TOML file, whose name without `.toml` is the recipe's; `source` is for messages.

    Raises:
        InvalidRecipe: not TOML, a key or table nobody knows, a value that is not allowed.
    """
    try:
        tables = tomllib.loads(text)
    except ValueError as error:  # TOML's own, or Python's for a number of thousands of digits
        raise InvalidRecipe(f"{source} is not valid TOML: {error}") from None
    except RecursionError:
        raise InvalidRecipe(f"{source} is not valid TOML: it is nested too deeply") from None
    return from_tables(name, tables, source)


def from_tables(name: str, tables: Mapping[str, object], source: str) -> Recipe:
    """The recipe of tables in TOML's shape; raises as `parse` does."""
    checked = _checked(tables, source, whole=True)
    tuning = read_tuning(checked["tuning"], source) if "tuning" in checked else None
    recipe = Recipe(name=name, source=source, tables=checked, tuning=tuning)
    searched = {each.name: each for each in tuning.ranges} if tuning else {}
    if "epochs" in searched:
        fewest = min(_ends(searched["epochs"]))
        _check_epochs({**recipe.hyperparameters, "epochs": fewest}, f"{source}, [tuning.ranges.epochs]")
    _check_epochs(recipe.hyperparameters, source)
    _check_epochs({**recipe.hyperparameters, **recipe.final}, f"{source}, [final]")
    if "probe_epochs" in searched:
        where = f"{source}, [tuning.ranges.probe_epochs]"
        fewest = min(_ends(searched["epochs"])) if "epochs" in searched else recipe.hyperparameters["epochs"]
        for probe in _ends(searched["probe_epochs"]):
            asked = {**recipe.hyperparameters, "epochs": fewest, "probe_epochs": probe}
            _check_epochs(asked, where)
            _check_epochs({**asked, **recipe.final}, f"{where} with [final]")
    _check_stages(recipe.hyperparameters, searched, source)
    fixed = {name: each for name, each in searched.items() if name not in recipe.final}
    _check_stages({**recipe.hyperparameters, **recipe.final}, fixed, f"{source}, [final]")
    _check_resources(recipe.table("resources"), source)
    return recipe


def checked_hyperparameters(values: object) -> Table:
    """Hyperparameters a request gives for one training, checked like the recipe's own.

    Raises:
        InvalidRecipe: not an object, an unknown name, or a value that is not allowed.
    """
    return _table("hyperparameters", values, HYPERPARAMETERS, "the request")


def as_text(value: object) -> str:
    """A value as a SageMaker hyperparameter, which is always a string (0.001 → `0.001`, yes → `true`)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def typed(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """A job's hyperparameters in the recipe's types.

    Raises InvalidRecipe for a number that is none.

    SageMaker keeps them all as text, a tuning job's categorical values sometimes JSON-quoted (`"16"` with the
    quotes). What a recipe does not know (`run`, `_tuning_objective_metric`) is left out.
    """
    values: dict[str, Any] = {}
    for key, text in hyperparameters.items():
        spec = HYPERPARAMETERS.get(key)
        if spec is None:
            continue
        plain = unquoted(text)
        if isinstance(spec, Number):
            values[key] = _number(key, plain)
        else:
            values[key] = plain == "true" if isinstance(spec, Flag) else plain
    return values


def _checked(tables: Mapping[str, object], source: str, *, whole: bool) -> dict[str, Table]:
    checked: dict[str, Table] = {}
    for name, table in tables.items():
        if name not in TABLES:
            raise InvalidRecipe(
                f"{source} has no table [{name[:60]}]{suggest(name, TABLES) or ';'} there are: "
                f"{listed(TABLES)}"
            )
        keys = {**TABLES[name], "ranges": None} if name == "tuning" else TABLES[name]
        checked[name] = _table(name, table, keys, source)
    if whole:
        _check_required(checked, source)
        race.check(checked, source)
    return checked


def _table(name: str, table: object, keys: Mapping[str, Key | None], source: str) -> Table:
    if not isinstance(table, Mapping):
        raise InvalidRecipe(f"{source}: [{name}] has to be a table of keys and values, not {quoted(table)}")
    checked: Table = {}
    for key, value in table.items():
        if key not in keys:
            raise InvalidRecipe(
                f"{source}: [{name}] has no key {quoted(key)}{suggest(key, keys) or ';'} "
                f"allowed are: {listed(keys)}"
            )
        spec = keys[key]
        if spec is None:
            checked[key] = _shape_of_ranges(value, source)
        else:
            checked[key] = check(spec, value, f"{source}: [{name}] {key}")
    return checked


def _shape_of_ranges(ranges: object, source: str) -> Table:
    """The ranges as tables of known keys; `read_ranges` judges their values once they are whole."""
    if not isinstance(ranges, Mapping) or not all(isinstance(each, Mapping) for each in ranges.values()):
        raise InvalidRecipe(f"{source}: [tuning.ranges] has to hold one table for each hyperparameter")
    return {name: dict(each) for name, each in ranges.items()}


def _merged_ranges(tables: Mapping[str, Table], asked: Table) -> Table:
    """The request's ranges, each over the recipe's range of the same name unless it changes the type."""
    have: Table = tables.get("tuning", {}).get("ranges", {})
    merged: Table = {}
    for name, table in asked.get("ranges", {}).items():
        base = have.get(name, {})
        same_type = table.get("type", base.get("type")) == base.get("type")
        merged[name] = {**(base if same_type else {}), **table}
    return merged


def _check_required(tables: Mapping[str, Table], source: str) -> None:
    for name, keys in REQUIRED.items():
        if name == "tuning" and name not in tables:
            continue
        for key in keys:
            if key == "arch" and "race" in tables:
                continue
            if key not in tables.get(name, {}):
                raise InvalidRecipe(
                    f"{source} lacks {key} in [{name}]; it has to be {TABLES[name][key].allowed}"
                )


def _check_epochs(values: Mapping[str, Any], source: str) -> None:
    warmup, probe = values.get("warmup_epochs", 0), values.get("probe_epochs", 0)
    if why := why_not_in_time(values["epochs"], warmup, probe, " = "):
        raise InvalidRecipe(f"{source}: {why}")


def _ends(searched: Range) -> tuple[Any, ...]:
    """The values that a range of numbers ends with, or all there are."""
    return searched.values or (searched.low, searched.high)


def _check_stages(values: Mapping[str, Any], searched: Mapping[str, Range], source: str) -> None:
    """See that each network these jobs may have can be trained from each stage they may be told."""

    def possible(key: str, default: str) -> tuple[Any, ...]:
        return searched[key].values if key in searched else (values.get(key, default),)

    for stage in possible("trainable_from", networks.STEM):
        for arch in possible("arch", ""):
            if why := networks.why_no_stage(arch, stage):
                raise InvalidRecipe(f"{source}: trainable_from = {stage}: {why}")
    for stem in possible("stem", networks.USUAL_STEM):
        for arch in possible("arch", ""):
            if why := networks.why_no_stem(arch, stem, str(values.get("weights", ""))):
                raise InvalidRecipe(f"{source}: stem = {stem}: {why}")


def _check_resources(resources: Table, source: str) -> None:
    if "instance_type" in resources:
        try:
            instances.check(resources["instance_type"], prices.TRAINING)
        except instances.UnusableInstance as error:
            raise InvalidRecipe(f"{source}: [resources] instance_type: {error}") from None
    wait, runtime = resources.get("max_wait_minutes"), resources.get("max_runtime_minutes")
    if wait is None:
        return
    if not resources.get("spot"):
        raise InvalidRecipe(f"{source}: [resources] max_wait_minutes is for spot = true only")
    if runtime is not None and wait < runtime:
        raise InvalidRecipe(
            f"{source}: [resources] max_wait_minutes = {wait} counts waiting and running, so it has to be "
            f"at least max_runtime_minutes = {runtime}"
        )


def _number(key: str, text: str) -> int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise InvalidRecipe(f"the search's {key} = {quoted(text)} is no number")
