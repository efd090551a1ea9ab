"""What lies beside the code: metric definitions, the image's libraries, the recipes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.common.recipes.recipe import parse as parse_recipe
from tools import pins
from training_code import config

ROOT = Path(config.__file__).parents[1]


def test_the_image_installs_the_versions_that_are_tested_here() -> None:
    locked = {(pin.name, pin.version) for pin in pins.read(pins.LAPTOP)}
    for target in ("training-cpu", "training-gpu"):
        ours = {(pin.name, pin.version) for path in pins.SETS[target] for pin in pins.read(path)}
        assert {name for name, _ in ours} >= {
            "torch",
            "safetensors",
            "numpy",
            "pillow",
            "smdebug",
            "openvino",
        }
        assert ours <= locked


def test_the_cpu_image_holds_nothing_of_cuda() -> None:
    names = {pin.name for path in pins.SETS["training-cpu"] for pin in pins.read(path)}
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]


def test_the_image_is_built_from_no_file_that_a_code_change_touches() -> None:
    ignored = (ROOT / "training_code" / "Dockerfile.dockerignore").read_text().splitlines()[1:]
    copied = re.findall(r"^COPY (\S+)", (ROOT / "training_code" / "Dockerfile").read_text(), re.MULTILINE)
    assert ignored[0] == "*"
    assert {f"!{name}" for name in copied} | {"!training_code/Dockerfile"} == set(ignored[1:])


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_a_recipe_passes_its_checker_and_the_training_code_takes_it(path: Path) -> None:
    recipe = parse_recipe(path.stem, path.read_text(), path.name)
    values = {name: str(value) for name, value in recipe.hyperparameters.items()}
    config.parse(values)
    config.parse(values | {name: str(value) for name, value in recipe.final.items()})
    assert recipe.tuning is not None
    for searched in recipe.tuning.ranges:
        for value in searched.values or (searched.low, searched.high):
            config.parse(values | {searched.name: str(value)})
