"""What an instance of a type has: virtual processors, memory, accelerators.

In a family memory and accelerators follow the size, but for a few. A type that is not here is not known, and
nobody is refused for it. https://aws.amazon.com/ec2/instance-types/
"""

from __future__ import annotations

from dataclasses import dataclass

_MB_PER_GIB = 1024
_GIB_PER_VCPU = {
    **dict.fromkeys(("c5", "c5d", "c6i", "c6in", "c6g", "c6gd", "c6gn", "c7g", "c7i", "c8g", "inf1"), 2.0),
    **dict.fromkeys(("t2", "m4", "m5", "m5d", "m6i", "m6g", "m6gd", "m7i", "m8g"), 4.0),
    **dict.fromkeys(("g4dn", "g5", "g6", "inf2", "trn1", "trn1n"), 4.0),
    **dict.fromkeys(("r5", "r5d", "r6i", "r6g", "r6gd", "r7i", "r7gd", "r8g", "g6e", "dl1"), 8.0),
    "c4": 1.875,
    **dict.fromkeys(("p4d", "p4de"), 12.0),
}
_GPUS = {**dict.fromkeys(("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"), 1), "12xlarge": 4}
_ACCELERATORS: dict[str, dict[str, int]] = {
    "g4dn": _GPUS,
    **{family: {**_GPUS, "24xlarge": 4, "48xlarge": 8} for family in ("g5", "g6", "g6e")},
    **{family: {"24xlarge": 8} for family in ("p4d", "p4de", "dl1")},
    "inf1": {"xlarge": 1, "2xlarge": 1, "6xlarge": 4, "24xlarge": 16},
    "inf2": {"xlarge": 1, "8xlarge": 1, "24xlarge": 6, "48xlarge": 12},
    **{family: {"2xlarge": 1, "32xlarge": 16} for family in ("trn1", "trn1n")},
}
_VCPUS_PER_XLARGE = 4


@dataclass(frozen=True)
class Size:
    """So much of an instance: all that one has, or what a copy of a component reserves."""

    cores: float
    memory_mb: int
    accelerators: float

    def holds(self, other: Size) -> bool:
        """Whether the other is a part of it."""
        return not self.short_of(other)

    def without(self, other: Size) -> Size:
        """What is left beside the other."""
        return Size(
            self.cores - other.cores,
            self.memory_mb - other.memory_mb,
            self.accelerators - other.accelerators,
        )

    def short_of(self, other: Size) -> list[str]:
        """In words, what the other has that this lacks."""
        each = {
            "CPU cores": (other.cores, self.cores),
            "MB of memory": (other.memory_mb, self.memory_mb),
            "accelerators": (other.accelerators, self.accelerators),
        }
        return [f"{wanted:g} {what} of {has:g}" for what, (wanted, has) in each.items() if wanted > has]


# Those whose numbers do not follow their family's.
_ODD = {
    "ml.t2.medium": Size(2, 4 * _MB_PER_GIB, 0),
    "ml.c4.8xlarge": Size(36, 60 * _MB_PER_GIB, 0),
    "ml.p2.xlarge": Size(4, 61 * _MB_PER_GIB, 1),
    "ml.p2.8xlarge": Size(32, 488 * _MB_PER_GIB, 8),
    "ml.p2.16xlarge": Size(64, 732 * _MB_PER_GIB, 16),
    "ml.p3.2xlarge": Size(8, 61 * _MB_PER_GIB, 1),
    "ml.p3.8xlarge": Size(32, 244 * _MB_PER_GIB, 4),
    "ml.p3.16xlarge": Size(64, 488 * _MB_PER_GIB, 8),
    "ml.p5.4xlarge": Size(16, 256 * _MB_PER_GIB, 1),
    **dict.fromkeys(
        ("ml.p5.48xlarge", "ml.p5e.48xlarge", "ml.p5en.48xlarge"), Size(192, 2048 * _MB_PER_GIB, 8)
    ),
}


def size_of(instance_type: str) -> Size | None:
    """What an instance of the type has; None where that is not known here."""
    if instance_type in _ODD:
        return _ODD[instance_type]
    _, family, size = instance_type.split(".")
    if family not in _GIB_PER_VCPU:
        return None
    vcpus = _vcpus(size)
    memory = int(vcpus * _GIB_PER_VCPU[family] * _MB_PER_GIB)
    return Size(vcpus, memory, _ACCELERATORS.get(family, {}).get(size, 0))


def _vcpus(size: str) -> int:
    small = {"medium": 1, "large": 2}
    return small.get(size) or _VCPUS_PER_XLARGE * int(size.removesuffix("xlarge") or 1)
