"""The networks there are, and what they can start from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
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

_BLOCKS: Final[Mapping[tuple[bool, int], str]] = MappingProxyType(
    {
        (False, 2): "resnet18",
        (False, 6): "resnet34",
        (True, 6): "resnet50",
        (True, 23): "resnet101",
        (True, 36): "resnet152",
    }
)
_OF_PARALLEL: Final = "module."
"""What torch's DataParallel puts before each name."""


def plain_names(names: Iterable[str]) -> frozenset[str]:
    """The tensors' names as the network has them."""
    return frozenset(name.removeprefix(_OF_PARALLEL) for name in names)


def arch_of(names: Collection[str]) -> str | None:
    """Which ResNet has tensors of these names: told by the kind of block and the length of the third layer.

    None for no ResNet.
    """
    blocks = {match[1] for name in names if (match := re.match(r"layer3\.(\d+)\.", name))}
    return _BLOCKS.get(("layer1.0.conv3.weight" in names, len(blocks)))


def file_for(arch: str, files: Sequence[str]) -> str | None:
    """The one file of weights that a job takes: of several the one named after its network, as torchvision
    names its own. None where it cannot choose.
    """
    named = [each for each in files if re.match(rf"{arch}\b", each.rpartition("/")[2])]
    choice = files if len(files) == 1 else named
    return choice[0] if len(choice) == 1 else None
