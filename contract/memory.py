"""The most memory that an instance type can have, as its name tells: to refuse what can never fit.

AWS's families keep a ratio of memory to vCPUs by their first letter, and their sizes double the vCPUs; of GPU
types the GPUs' memory counts, which all of NVIDIA's data sheets tell. Where a name says less than that, the
bound is generous.

Sources: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-type-specifications.html,
https://docs.aws.amazon.com/dlami/latest/devguide/gpu.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from contract.instances import GPU_FAMILIES, family_of

_GIB_OF_GPU: Mapping[str, int] = MappingProxyType(
    {
        **{"T4": 16, "A10G": 24, "L4": 24, "L40S": 48, "A100": 80, "H100": 80, "H200": 141},
        **{"RTX PRO 4500 Blackwell": 32, "RTX PRO 6000 Blackwell": 96, "B200": 192, "B300": 288},
    }
)
_GIB_OF_VCPU: Mapping[str, int] = MappingProxyType({"c": 2, "m": 4, "t": 4, "r": 8})
_GPUS: Final = 8
"""The most that an instance has."""
_ONE_GPU: Final = frozenset({"xlarge", "2xlarge", "4xlarge", "8xlarge"})
"""Sizes of G types that may have several elsewhere; a P type has several in any."""


def most_gib(instance_type: str) -> int | None:
    """The most GiB that a job's steps can use on an instance; None where its name tells nothing."""
    family, size = family_of(instance_type), instance_type.rpartition(".")[2]
    gpu = GPU_FAMILIES.get(family)
    if gpu is not None:
        one = family.startswith("g") and size in _ONE_GPU
        return _GIB_OF_GPU[gpu] * (1 if one else _GPUS)
    ratio = _GIB_OF_VCPU[family[0]] if re.match(r"[cmrt]\d", family) else None
    vcpus = _vcpus(size)
    return ratio * vcpus if ratio and vcpus else None


def _vcpus(size: str) -> int | None:
    if size in ("medium", "large"):
        return 2
    found = re.fullmatch(r"(\d*)xlarge", size)
    return 4 * int(found[1] or 1) if found else None
