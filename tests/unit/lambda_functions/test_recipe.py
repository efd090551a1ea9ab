"""Recipes: what is wrong is named with its key, its place and what is allowed; what is right survives a round
trip through run.json.
"""

from __future__ import annotations

import contextlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.bounds import Choice, Number
from functions.common.errors import InvalidRecipe, UserError
from functions.common.recipes import recipe
from functions.common.recipes.keys import HYPERPARAMETERS, TABLES, check
from tests.unit.lambda_functions.conftest import RECIPE

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.toml"))


PROBES = '\n[tuning.ranges.probe_epochs]\ntype = "integer"\nmin = 0\nmax = 3\n'


def parsed(text: str = RECIPE) -> recipe.Recipe:
    return recipe.parse("digits", text, "recipe digits")


def changed(old: str, new: str) -> str:
    assert old in RECIPE
    return RECIPE.replace(old, new)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_project_loads_and_can_be_tuned(path: Path) -> None:
    loaded = recipe.parse(path.stem, path.read_text(encoding="utf-8"), path.name)
    assert loaded.tuning is not None
    assert loaded.tuning.ranges


@pytest.mark.parametrize("key", [key for key, spec in HYPERPARAMETERS.items() if key != "weights"])
def test_the_training_code_accepts_the_ends_of_what_a_recipe_may_say(key: str) -> None:
    config = pytest.importorskip("training_code.config")
    spec = HYPERPARAMETERS[key]
    if isinstance(spec, Choice):
        values: list[Any] = list(spec.words)
    else:
        assert isinstance(spec, Number)
        inside = (spec.least + spec.most) / 2
        values = [inside if spec.above else spec.least, inside if spec.below else spec.most]
        values = [int(value) if spec.whole else float(value) for value in values]
    if key in ("warmup_epochs", "probe_epochs"):
        values[1] -= 1  # they have to be below the epochs, which end there too
    for value in values:
        config.parse({"epochs": "10000", key: recipe.as_text(check(spec, value, key))})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[model", ["not valid TOML"]),
        (changed("learning_rate = 0.01", "learing_rate = 0.01"), ["learing_rate", 'mean "learning_rate"?']),
        (changed("[data]", "[dta]"), ["[dta]", 'did you mean "data"?']),
        (changed('"resnet18"', '"resnet19"'), ["arch", "resnet19", "resnet18 | resnet34 | resnet50"]),
        (changed('"resnet18"', '"convnext_nan"'), ["arch", 'did you mean "convnext_nano"?']),
        (
            changed('"resnet18"', '"convnext_nano"'),
            ["trainable_from = layer4: a convnext_nano has no stage layer4", "stem, stage1", "head"],
        ),
        (
            changed('"layer4"', '"stage2"'),
            ["a resnet18 has no stage stage2; it has stem, layer1"],
        ),
        (
            changed("[final]\nepochs = 8", '[final]\narch = "convnext_nano"\ntrainable_from = "stage5"'),
            ["[final]", "a convnext_nano has no stage stage5"],
        ),
        (
            changed('"resnet18"', '"resnet18"\nstem = "small"'),
            ["stem = small: no published weights have a small stem", "none"],
        ),
        (
            changed('"resnet18"', '"convnext_nano"\nstem = "small"').replace("layer4", "stage2"),
            ["stem = small: only ResNets have a small stem"],
        ),
        (changed('"imagenet"', '"s3:/x"'), ["weights", "s3://bucket/key"]),
        (changed('arch = "resnet18"\n', ""), ["lacks arch", "[model]"]),
        (changed("epochs = 3", 'epochs = "3"'), ['epochs = "3"', "whole number from 1"]),
        (changed("epochs = 3", "epochs = 2.5"), ["epochs = 2.5", "whole number"]),
        (changed("epochs = 3", "epochs = true"), ["epochs = True"]),
        (changed("learning_rate = 0.01", "learning_rate = 0"), ["learning_rate = 0", "above 0"]),
        (changed("learning_rate = 0.01", "learning_rate = nan"), ["learning_rate = nan"]),
        (changed("learning_rate = 0.01", "learning_rate = inf"), ["learning_rate = inf"]),
        (changed("epochs = 3", "epochs = 3\nwarmup_epochs = 3"), ["warmup_epochs = 3", "below epochs = 3"]),
        (changed("[final]\nepochs = 8", "[final]\nwarmup_epochs = 4"), ["[final]", "warmup_epochs = 4"]),
        (changed("epochs = 3", "epochs = 3\nprobe_epochs = 3"), ["probe_epochs = 3", "below epochs = 3"]),
        (changed("[final]\nepochs = 8", "[final]\nprobe_epochs = 5"), ["[final]", "probe_epochs = 5"]),
        (
            changed("epochs = 3", "epochs = 3\nprobe_epochs = 1\nwarmup_epochs = 1"),
            ["warmup_epochs = 1 has to be below 1", "1 probe_epochs and of the 2 after them"],
        ),
        (RECIPE + PROBES, ["[tuning.ranges.probe_epochs]", "probe_epochs = 3", "below epochs = 3"]),
        (
            RECIPE.replace("[final]\nepochs = 8", "[final]\nepochs = 2") + PROBES.replace("3", "2"),
            ["[tuning.ranges.probe_epochs] with [final]", "probe_epochs = 2", "below epochs = 2"],
        ),
        (changed("epochs = 3", "epochs = 3\nlayer_decay = 0"), ["layer_decay = 0", "above 0"]),
        (changed("epochs = 3", "epochs = 3\nema_decay = 1"), ["ema_decay = 1", "below 1"]),
        (changed("epochs = 3", "epochs = 3\nmixup = -1"), ["mixup = -1", "from 0"]),
        (changed("[final]\nepochs = 8", "[final]\nepoch = 8"), ["[final]", "epoch", 'mean "epochs"?']),
        (changed("min = 0.0001", "min = 1.0"), ["min = 1, max = 0.1", "upside down"]),
        (changed("min = 0.0001", "min = 0.1"), ["nothing to search"]),
        (changed("min = 0.0001", "min = 0"), ["min = 0", "above 0"]),
        (changed("min = 0.0001\n", ""), ["lacks min"]),
        (changed('"continuous"', '"continous"'), ["type", 'did you mean "continuous"?']),
        (changed('"continuous"', '"integer"'), ["min = 0.0001", "whole number"]),
        (changed('scale = "logarithmic"', 'scale = "log10"'), ["scale", "logarithmic"]),
        (changed('scale = "logarithmic"', 'scale = "reverse-logarithmic"\nvalues = [1]'), ["values"]),
        (changed("ranges.learning_rate", "ranges.learning_rat"), ['mean "learning_rate"?']),
        (changed("values = [16, 32]", "values = []"), ["values = []", "1 to 30"]),
        (changed("values = [16, 32]", "values = [16, 16]"), ["twice"]),
        (changed("values = [16, 32]", "values = [16, 0]"), ["values = 0", "from 2"]),
        (changed("values = [16, 32]", "min = 1\nmax = 2"), ["min", "values"]),
        (changed("parallel_jobs = 2", "parallel_jobs = 5"), ["parallel_jobs = 5", "max_jobs = 4"]),
        (changed('"maximize"', '"minimize"'), ["valid_accuracy", "maximize"]),
        (changed('"Bayesian"', '"Bayes"'), ["strategy", 'did you mean "Bayesian"?']),
        (changed('"Bayesian"', '"Hyperband"'), ["Hyperband", 'early_stopping = "Off"']),
        (changed('"Bayesian"', '"Grid"'), ["Grid", "categorical", "learning_rate"]),
        (changed('objective = "valid_accuracy"\n', ""), ["lacks objective", "[tuning]"]),
        (RECIPE + '\n[resources]\ninstance_type = "c7i.large"\n', ["instance_type", "ml.c7i.2xlarge"]),
        (RECIPE + "\n[resources]\nmax_runtime_minutes = 1\n", ["max_runtime_minutes = 1", "from 2"]),
        (RECIPE + '\n[debug]\nrules = "all"\n', ["rules", "a list"]),
        ("model = 3", ["[model]", "table"]),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(text: str, says: list[str]) -> None:
    with pytest.raises(InvalidRecipe) as caught:
        parsed(text)
    for each in ("recipe digits", *says):
        assert each in str(caught.value)


def test_a_grid_whose_size_is_not_max_jobs_says_the_right_number() -> None:
    text = RECIPE.replace('"Bayesian"', '"Grid"').replace(
        'type = "continuous"\nmin = 0.0001\nmax = 0.1\nscale = "logarithmic"',
        'type = "categorical"\nvalues = [0.1, 0.01, 0.001]',
    )
    with pytest.raises(InvalidRecipe, match="set max_jobs = 6"):
        parsed(text)
    assert parsed(text.replace("max_jobs = 4", "max_jobs = 6")).tuning is not None


def test_hyperband_may_not_search_the_epochs_it_gives_out() -> None:
    text = RECIPE.replace('"Bayesian"', '"Hyperband"').replace('"Auto"', '"Off"')
    text += '\n[tuning.ranges.epochs]\ntype = "integer"\nmin = 1\nmax = 5\n'
    with pytest.raises(InvalidRecipe, match="gives out epochs itself"):
        parsed(text)


def test_an_override_changes_its_key_and_no_other() -> None:
    before, after = parsed(), parsed().with_overrides({"training": {"epochs": 2}, "tuning": {"max_jobs": 2}})
    assert after.hyperparameters == {**before.hyperparameters, "epochs": 2}
    assert before.tuning is not None
    assert after.tuning is not None
    assert (after.tuning.max_jobs, after.tuning.parallel_jobs) == (2, before.tuning.parallel_jobs)
    assert after.tuning.ranges == before.tuning.ranges
    assert after.final == before.final


def test_a_hyperparameter_that_the_request_sets_is_not_searched() -> None:
    after = parsed().with_overrides({"training": {"learning_rate": 0.05}})
    assert after.tuning is not None
    assert [each.name for each in after.tuning.ranges] == ["batch_size"]
    assert after.hyperparameters["learning_rate"] == 0.05


def test_a_range_override_of_one_bound_keeps_the_rest_of_the_range() -> None:
    after = parsed().with_overrides({"tuning": {"ranges": {"learning_rate": {"max": 0.05}}}})
    assert after.tuning is not None
    found = next(each for each in after.tuning.ranges if each.name == "learning_rate")
    assert (found.low, found.high, found.scale) == (0.0001, 0.05, "Logarithmic")


def test_a_range_override_of_another_type_replaces_the_range() -> None:
    values = {"type": "categorical", "values": [0.1, 0.01]}
    after = parsed().with_overrides({"tuning": {"ranges": {"learning_rate": values}}})
    assert after.tuning is not None
    assert next(each for each in after.tuning.ranges if each.name == "learning_rate").values == (0.1, 0.01)


def test_an_override_that_breaks_the_whole_says_that_it_was_the_request() -> None:
    with pytest.raises(
        InvalidRecipe, match=r"with the request's own values.*parallel_jobs = 2.*max_jobs = 1"
    ):
        parsed().with_overrides({"tuning": {"max_jobs": 1}})


def test_a_recipe_survives_the_round_trip_through_json() -> None:
    before = parsed()
    after = recipe.from_tables("digits", json.loads(json.dumps(before.tables)), "recipe digits")
    assert after == before


numbers = {
    "epochs": st.integers(1, 10_000),
    "batch_size": st.integers(2, 65_536),
    "learning_rate": st.floats(1e-12, 100, allow_nan=False),
    "momentum": st.floats(0, 0.999999),
    "seed": st.integers(0, 2**31 - 1),
}


@given(st.fixed_dictionaries({}, optional=numbers))
def test_any_allowed_override_is_taken_as_it_is_and_survives_as_text(values: dict[str, Any]) -> None:
    after = parsed().with_overrides({"training": values})
    for key, value in values.items():
        assert after.hyperparameters[key] == value
        assert float(recipe.as_text(after.hyperparameters[key])) == value


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from([*TABLES, *HYPERPARAMETERS, "ranges", "type", "min", "max", "values", "x"])
tables = st.dictionaries(
    keys, st.dictionaries(keys, anything | st.dictionaries(keys, anything), max_size=3), max_size=3
)


@given(tables)
def test_no_override_whatever_it_is_fails_in_another_way_than_by_name(overrides: dict[str, Any]) -> None:
    with contextlib.suppress(UserError):
        after = parsed().with_overrides(overrides)
        assert recipe.from_tables("digits", after.tables, "again").tables == after.tables


@given(st.text(max_size=60))
def test_no_text_fails_in_another_way_than_by_name(text: str) -> None:
    with pytest.raises(InvalidRecipe):
        recipe.parse("x", text, "x")


@given(st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_a_recipe_with_odd_text_added_is_refused_or_still_a_recipe(text: str) -> None:
    try:
        tomllib.loads(RECIPE + "\n# " + text)
    except tomllib.TOMLDecodeError:
        with pytest.raises(InvalidRecipe):
            parsed(RECIPE + "\n# " + text)
    else:
        assert parsed(RECIPE + "\n# " + text).name == "digits"
