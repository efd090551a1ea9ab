"""The networks there are, and what they can start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BLOCKS: Final[Mapping[str, tuple[int, int, int, int]]] = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}
"""Of each stage: two convolutions each, in a ResNet-50 three."""
ARCHITECTURES: Final = tuple(BLOCKS)
STAGES: Final = ("stem", "layer1", "layer2", "layer3", "layer4", "fc")
"""A network's parts, from the picture to the classes."""
WEIGHTS_SUFFIXES: Final = (".safetensors", ".pth", ".pt")
"""How the name of a file of starting weights ends."""
