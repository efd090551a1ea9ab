"""Which instance types SageMaker has, and which of them this project's images run on.

The types are botocore's enums, written down by `python -m tools.instance_types`: a function's own botocore is
the runtime's, months older than the one the stacks were made with, and would refuse what they allowed. The
images are for x86-64; the GPU ones hold PyTorch's build for CUDA 13.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from contract.prices import HOSTING, TRAINING

_TYPES = Path(__file__).with_name("instance_types.json")

GPU_FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        **{"g4dn": "T4", "g5": "A10G", "g6": "L4", "g6e": "L40S"},
        **{"g7": "RTX PRO 4500 Blackwell", "g7e": "RTX PRO 6000 Blackwell"},
        **{"p4d": "A100", "p4de": "A100", "p5": "H100", "p5e": "H200", "p5en": "H200"},
        **{"p6-b200": "B200", "p6-b300": "B300"},
    }
)
"""The families whose GPU the images run on, with the GPU."""
OLD_GPU_FAMILIES: Mapping[str, str] = MappingProxyType(
    {"p2": "K80", "p3": "V100", "p3dn": "V100", "g3": "M60", "g3s": "M60"}
)
"""CUDA 13 dropped what is older than Turing (compute capability 7.5).
https://docs.nvidia.com/cuda/archive/13.0.0/cuda-toolkit-release-notes/index.html
"""
FORM: Final = r"ml\.[a-z0-9-]+\.[a-z0-9]+"
"""A regular expression of what an instance type looks like."""
# Graviton is a g after the generation; p6e-gb200 is NVIDIA's Grace with a Blackwell.
_ARM = re.compile(r"[a-z]+\d+g[a-z]*|p6e-gb\d+")
_ACCELERATOR = re.compile(r"(inf|trn|dl)\d.*")


class Processor(StrEnum):
    """What the instances of a family reckon with."""

    CPU = "cpu"
    GPU = "gpu"
    OLD_GPU = "old-gpu"
    ARM = "arm"
    ACCELERATOR = "accelerator"


_WHY_NOT: Mapping[Processor, str] = MappingProxyType(
    {
        Processor.OLD_GPU: "has a GPU older than Turing, which CUDA 13 in the images no longer runs on",
        Processor.ARM: "has an ARM processor, and the images are built for x86-64",
        Processor.ACCELERATOR: "has an accelerator of AWS's or Intel's own, which the images cannot use",
    }
)
EXAMPLES: Mapping[tuple[str, Processor], str] = MappingProxyType(
    {
        (TRAINING, Processor.CPU): "ml.c7i.2xlarge",
        (TRAINING, Processor.GPU): "ml.g6.xlarge",
        (HOSTING, Processor.CPU): "ml.c7i.large",
        (HOSTING, Processor.GPU): "ml.g6.xlarge",
    }
)
"""What to take instead, by use and processor."""


class UnusableInstance(ValueError):
    """An instance type that SageMaker does not have for this use, or that the images do not run on."""


def check(instance_type: str, kind: str) -> None:
    """Refuse an instance type that a job or an endpoint would only fail on.

    Raises:
        UnusableInstance: SageMaker has no such type for this, or the images do not run on it; the message
            names the type and one to take instead.
    """
    processor = processor_of(instance_type)
    example = EXAMPLES[kind, Processor.GPU if processor is Processor.OLD_GPU else Processor.CPU]
    if processor in _WHY_NOT:
        raise UnusableInstance(f"{instance_type} {_WHY_NOT[processor]}; take for example {example}")
    if instance_type not in types_for(kind):
        usable = sorted(each for each in types_for(kind) if processor_of(each) not in _WHY_NOT)
        near = [*get_close_matches(instance_type, usable, n=1), example][0]
        raise UnusableInstance(
            f"{instance_type} is none of the types that SageMaker has for {kind}; take for example {near}"
        )


def has_gpu(instance_type: str) -> bool:
    """Whether it wants the images' GPU form."""
    return processor_of(instance_type) is Processor.GPU


def pays_for_gpu(instance_type: str) -> bool:
    """Whether it has an NVIDIA GPU, also one that the images cannot use."""
    return processor_of(instance_type) in (Processor.GPU, Processor.OLD_GPU)


def processor_of(instance_type: str) -> Processor:
    """What an instance type reckons with, whether SageMaker has it or not."""
    family = family_of(instance_type)
    if family in GPU_FAMILIES:
        return Processor.GPU
    if family in OLD_GPU_FAMILIES:
        return Processor.OLD_GPU
    if _ACCELERATOR.fullmatch(family):
        return Processor.ACCELERATOR
    return Processor.ARM if _ARM.fullmatch(family) else Processor.CPU


def family_of(instance_type: str) -> str:
    """`ml.c7i.large` → `c7i`."""
    return instance_type.removeprefix("ml.").partition(".")[0]


@cache
def types_for(kind: str) -> frozenset[str]:
    """All instance types that SageMaker has for a use."""
    sizes: dict[str, dict[str, list[str]]] = json.loads(_TYPES.read_text(encoding="utf-8"))
    return frozenset(f"ml.{family}.{size}" for family, some in sizes[kind].items() for size in some)
