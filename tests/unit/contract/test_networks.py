"""The table of networks is what the timm that is pinned says, and timm is imported lean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
from PIL import Image
from timm.data import create_transform, resolve_data_config

from contract import networks, timm_models
from contract.networks import ARCHITECTURES, BLOCKS
from contract.pictures.transform import Transform
from tools.networks import rows

ROOT = Path(__file__).parents[3]


def test_the_table_is_what_the_pinned_timm_says() -> None:
    assert timm.__version__ == timm_models.VERSION
    assert f'"timm=={timm_models.VERSION}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = {name: networks.backbone(name) for name in networks.names()}
    for each in rows():
        assert table[each.name] == each
    assert {each.partition(".")[0] for each in table} == set(timm.list_models())


@pytest.mark.parametrize("arch", [each for each in ARCHITECTURES if each not in BLOCKS])
@pytest.mark.parametrize("size", [(500, 375), (300, 640), (224, 224)])
def test_the_transform_is_timms_own(arch: str, size: tuple[int, int]) -> None:
    """But for roundings of single pixels: timm resizes the whole picture, and cuts it then."""
    cfg = resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(arch).to_dict())
    theirs = create_transform(**cfg, is_training=False)
    ours = Transform.of(arch, cfg["input_size"][-1])
    random = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    picture = Image.fromarray(random)
    expected = theirs(picture).numpy()
    found = ours.normalised(ours.pixels(picture))[0]
    assert found.shape == expected.shape
    steps = np.abs(found - expected) * np.array(ours.std)[:, None, None] * 255
    assert np.mean(steps) < 0.5


def test_a_name_without_a_tag_has_the_weights_that_timm_takes_by_default() -> None:
    assert networks.backbone("convnext_nano") == networks.backbone("convnext_nano.in12k_ft_in1k")
    assert networks.backbone("resnet18").licence == "bsd-3-clause"
    assert networks.backbone("resnet18.a1_in1k").interpolation == "bicubic"


@pytest.mark.parametrize(
    ("licence", "says"),
    [
        ("apache-2.0", ""),
        ("mit", ""),
        ("cc-by-nc-4.0", "forbids commercial use"),
        ("apple-amlr", "forbids commercial use"),
        ("fair-noncommercial-research-license", "forbids commercial use"),
        ("unknown", "is not known"),
    ],
)
def test_what_a_licence_forbids_is_said(licence: str, says: str) -> None:
    told = networks.restriction("the weights", licence)
    assert says in told
    assert bool(told) is bool(says)


def test_timm_is_imported_without_what_its_networks_do_not_need() -> None:
    code = """
import sys
from contract import timm_models
names = timm_models.timm().list_models()
heavy = {"torchvision", "torch._dynamo", "huggingface_hub", "timm.data"}
print(len(names), *sorted(heavy & set(sys.modules)))
import timm.data, torchvision
print(timm.data.create_transform.__module__, torchvision.__version__ != "")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    first, second = done.stdout.splitlines()
    assert first == str(len(timm.list_models()))
    assert second == "timm.data.transforms_factory True", "whoever wants the rest gets it"
