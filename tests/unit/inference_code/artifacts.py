"""Model artifacts for tests: a ResNet with random weights, in the files that training writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

CLASSES = ["ant", "bee", "cicada"]
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


def trained_looking(arch: str, classes: int) -> torch.nn.Module:
    """torchvision's network, in evaluation mode, with batch norms that do not leave their input as it is."""
    from torchvision.models import get_model

    torch.manual_seed(7)
    network = get_model(arch, weights=None, num_classes=classes)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network.eval()


def write_artifact(folder: Path, **changes: Any) -> Path:
    """Write a sound artifact, with `changes` to its description."""
    folder.mkdir(parents=True)
    save_file(trained_looking("resnet18", len(CLASSES)).state_dict(), folder / "model.safetensors")
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    (folder / "model.json").write_text(json.dumps(DESCRIPTION | changes))
    return folder
