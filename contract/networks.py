"""The networks there are, and what they can start from."""

from __future__ import annotations

from typing import Final

ARCHITECTURES: Final = ("resnet18", "resnet34", "resnet50")
STAGES: Final = ("stem", "layer1", "layer2", "layer3", "layer4", "fc")
"""A network's parts, from the picture to the classes."""
WEIGHTS_SUFFIXES: Final = (".safetensors", ".pth", ".pt")
"""How the name of a file of starting weights ends."""
