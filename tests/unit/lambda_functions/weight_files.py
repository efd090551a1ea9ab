"""Files of weights as far as launchers look into them: names and shapes, and numbers that are none."""

from __future__ import annotations

import json
from collections.abc import Mapping

_BLOCKS = {"resnet18": (2, 2), "resnet34": (6, 2), "resnet50": (6, 3), "resnet101": (23, 3)}
"""In the third layer, and convolutions of each."""
_SIZE = 200_000


def names_of(arch: str) -> list[str]:
    """Some tensors of a network, in their order."""
    blocks, convolutions = _BLOCKS[arch]
    names = ["conv1.weight"]
    for layer, count in (("layer1", 2), ("layer3", blocks), ("layer4", 2)):
        names += [
            f"{layer}.{block}.conv{number + 1}.weight"
            for block in range(count)
            for number in range(convolutions)
        ]
    return [*names, "fc.weight", "fc.bias"]


def weights_of(arch: str, prefix: str = "", said: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file: the header's length, the header, the numbers."""
    tensors = {
        prefix + name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for name in names_of(arch)
    }
    header = json.dumps({"__metadata__": {"format": "pt", **(said or {})}, **tensors}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(_SIZE)
