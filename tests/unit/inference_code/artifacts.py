"""Model artifacts for tests: a ResNet with random weights, in the files and forms that training writes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from contract.artifact import GRAPH

CLASSES = ["ant", "bee", "cicada"]
# How far the most probable class's probability may be from PyTorch's, per precision. Random weights; what a
# trained model loses is measured by training (model.json) and held to half a point of accuracy there.
TOLERANCE = {"int8": 0.02, "bf16": 0.01, "f32": 1e-5}
DESCRIPTION: dict[str, Any] = {
    "format": 1,
    "arch": "resnet18",
    "num_classes": len(CLASSES),
    "image_size": 32,
    "training_job": "classifier-demo-final",
    "transform": {
        "resize": 36,
        "resize_mode": "shorter",
        "crop": 32,
        "interpolation": "bilinear",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
}


def randomise_norms(network: torch.nn.Module) -> None:
    """Make batch norms that do not leave their input as it is."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)


def trained_looking(arch: str, classes: int) -> torch.nn.Module:
    """torchvision's network, in evaluation mode, with random batch norms."""
    from torchvision.models import get_model

    torch.manual_seed(7)
    network = get_model(arch, weights=None, num_classes=classes)
    randomise_norms(network)
    return network.eval()


def write_artifact(folder: Path, **changes: Any) -> Path:
    """Write a sound artifact, with `changes` to its description."""
    folder.mkdir(parents=True)
    save_file(trained_looking("resnet18", len(CLASSES)).state_dict(), folder / "model.safetensors")
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    (folder / "model.json").write_text(json.dumps(DESCRIPTION | changes))
    return folder


def add_graph(folder: Path, precision: str) -> Path:
    """Add the serving form to an artifact, as training's export does, by ranges of a few random pictures."""
    from contract.pictures.transform import Transform
    from training_code.evaluation import openvino_graph, serving_graph
    from training_code.network.fresh import fresh

    description = json.loads((folder / "model.json").read_text())
    told = description["transform"]
    transform = Transform(
        *(told["resize"], told["resize_mode"], told["crop"], tuple(told["mean"]), tuple(told["std"])),
        interpolation=told["interpolation"],
    )
    network = fresh(description["arch"], description["num_classes"], transform.crop)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    graph = serving_graph.graph(network, transform)
    if precision == "int8":
        squares = np.random.default_rng(2).integers(
            0, 256, (8, 1, transform.crop, transform.crop, 4), np.uint8
        )
        squares[..., 3] = 255
        graph = openvino_graph.quantised(graph, squares, 1)
    return write_graph(folder, openvino_graph.of(graph, 1), precision)


def write_graph(folder: Path, graph: Any, precision: str) -> Path:
    """Write an openvino.Model as the serving form of an artifact."""
    import openvino

    openvino.save_model(graph, folder / "model.xml", compress_to_fp16=precision == "bf16")
    description = json.loads((folder / "model.json").read_text())
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in GRAPH}
    description["serving"] = {"form": "openvino", "precision": precision, "files": files}
    (folder / "model.json").write_text(json.dumps(description))
    return folder
