"""Hyperparameters: strings in, one checked value out."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_code.config import Config, parse
from training_code.errors import InvalidHyperparameter


def test_without_hyperparameters_the_defaults_hold() -> None:
    assert parse({}) == Config()


def test_every_default_is_a_value_its_own_rule_allows() -> None:
    defaults = {field.name: str(field.default) for field in dataclasses.fields(Config)}
    assert parse(defaults) == Config()


def test_values_take_the_type_of_their_field() -> None:
    config = parse({"epochs": "3", "batch_size": "16.0", "learning_rate": "1e-3", "optimizer": "adamw"})
    assert (config.epochs, config.batch_size, config.learning_rate, config.optimizer) == (
        3,
        16,
        0.001,
        "adamw",
    )
    assert isinstance(config.batch_size, int)


@given(st.sampled_from(["16", "32", "64"]))
def test_a_value_quoted_once_more_by_a_tuning_job_is_the_same_value(value: str) -> None:
    assert parse({"batch_size": json.dumps(value)}) == parse({"batch_size": value})


def test_what_sagemaker_adds_for_itself_is_left_alone() -> None:
    assert parse({"_tuning_objective_metric": "valid_loss", "sagemaker_program": "x"}) == Config()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"stem": "small", "weights": "imagenet"}, "no published weights"),
        ({"stem": "small", "arch": "convnext_nano"}, "only ResNets"),
    ],
)
def test_a_small_stem_is_for_fresh_resnets(told: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidHyperparameter, match=f"stem=small: {why}"):
        parse(told)


def test_a_misspelt_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        InvalidHyperparameter, match=r"'learning_rat' is not known \(did you mean 'learning_rate'\?\)"
    ):
        parse({"learning_rat": "0.1"})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("epochs", "0", "a whole number from 1 to 10000"),
        ("epochs", "2.5", "a whole number from 1 to 10000"),
        ("epochs", "1_0", "a whole number from 1 to 10000"),
        ("batch_size", "1", "a whole number from 2 to 65536"),
        ("batch_size", "many", "a whole number"),
        ("learning_rate", "0", "a number above 0 to 100"),
        ("learning_rate", "nan", "a number above 0"),
        ("learning_rate", "inf", "a number above 0"),
        ("momentum", "1", "a number from 0 to below 1"),
        ("arch", "resnet19", "resnet18, resnet34, resnet50"),
        ("objective", "train_loss", "valid_accuracy, valid_loss"),
        ("augment", "", "none, flip, crop, crop-flip"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(name: str, value: str, allowed: str) -> None:
    with pytest.raises(InvalidHyperparameter) as refusal:
        parse({name: value})
    assert f"{name}={value}" in str(refusal.value)
    assert allowed in str(refusal.value)


def test_a_warmup_as_long_as_the_training_is_refused() -> None:
    with pytest.raises(InvalidHyperparameter, match="warmup_epochs=2 has to be below epochs=2"):
        parse({"warmup_epochs": "2", "epochs": "2"})


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_name_and_value_either_parse_or_are_refused_by_name(name: str, value: str) -> None:
    said = ""
    try:
        parse({name: value})
    except InvalidHyperparameter as refusal:
        said = str(refusal)
    assert not said or repr(name) in said or f"{name}=" in said
