"""Recipes are listed with what they do, those of the checkout and the user's own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from cli.__main__ import cli
from cli.commands.recipes import about, row
from cli.errors import NotUp
from cli.target import ROOT, Target
from tests.unit.cli.conftest import FakeTarget
from tests.unit.cli.runs.test_reader import Stacks

OWN = b'# My own. And more.\n[model]\narch = "resnet18"\n'


class Bucket:
    exceptions = SimpleNamespace(ClientError=ClientError)

    def get_paginator(self, name: str) -> Any:
        contents = [{"Key": key} for key in ("recipes/mine.toml", "recipes/digits.toml", "recipes/notes.txt")]
        return SimpleNamespace(paginate=lambda **_: [{"Contents": contents}])

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(OWN)}


@pytest.fixture
def here(target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch) -> Target:
    made = replace(target(), root=ROOT)
    made.__dict__["clients"] = {"s3": Bucket(), "cloudformation": Stacks()}
    monkeypatch.setattr("cli.commands.options.resolve", lambda *_, **__: made)
    return made


def listed(*arguments: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(cli, ["recipes", "--json", *arguments])
    rows: list[dict[str, Any]] = json.loads(done.stdout)["data"]
    return rows


def test_the_checkouts_recipes_and_ones_own_are_listed(here: Target) -> None:
    rows = {each["name"]: each for each in listed()}
    assert {path.stem for path in (ROOT / "recipes").glob("*.toml")} | {"mine"} == set(rows)
    assert (rows["digits"]["where"], rows["digits"]["trials"]) == ("checkout", 4)
    assert (rows["mine"]["where"], rows["mine"]["about"]) == ("bucket", "My own")
    assert [each["name"] for each in listed("--sort", "trials", "--limit", "1")] == ["dogs-resnet18-adamw"]


def test_nothing_has_to_be_up_to_list_the_checkouts(here: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: Any) -> None:
        raise NotUp("down")

    monkeypatch.setattr(FakeTarget, "client", down)
    assert "mine" not in {each["name"] for each in listed()}


def test_what_a_recipe_is_for_is_its_first_sentence() -> None:
    assert about("# One thing\n# of two lines. More\n\n# not this") == "One thing of two lines"
    assert about("[model]") == ""


@pytest.mark.parametrize("text", [b"no toml", b"\xff\xfe", b"model = 3"])
def test_a_recipe_that_cannot_be_read_is_listed_by_its_name(text: bytes) -> None:
    assert row("mine", text, "bucket")["arch"] is None
