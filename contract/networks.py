"""The networks there are, and what they can start from.

Any of timm's classification networks, by timm's name for it: `convnext_nano`, or with the tag of its weights
`convnext_nano.in12k_ft_in1k`. ResNet-18, -34 and -50 are our own, with named stages and torchvision's
weights. `networks.csv` says of each how it wants its pictures and under which licence its weights are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

BLOCKS: Final[Mapping[str, tuple[int, int, int, int]]] = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}
"""Of each stage: two convolutions each, in a ResNet-50 three."""
ARCHITECTURES: Final = (
    *BLOCKS,
    *("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2"),
    *("mobilenetv3_large_100", "mobilenetv4_conv_small", "mobilenetv4_conv_medium"),
    *("tf_efficientnetv2_s", "convnext_nano", "convnext_tiny"),
    *("vit_small_patch14_dinov2", "vit_base_patch32_clip_224"),
)
"""Those of docs/networks.md, which are tested and measured; timm has more."""
STAGES: Final = ("stem", "layer1", "layer2", "layer3", "layer4", "fc")
"""A ResNet's parts, from the picture to the classes. Other networks have `stem`, `stage1`, ..., `head`."""
STEM, HEAD = "stem", "head"
"""The first and the last part of any network; a ResNet's head is `fc`, too."""
USUAL_STEM, SMALL_STEM = "usual", "small"
"""How a ResNet begins: with a convolution of 7x7 and a pooling, each of stride 2, or, for small pictures,
with a convolution of 3x3 and stride 1 (He et al. 2015, section 4.2)."""
STEM_KERNELS: Final[Mapping[str, int]] = MappingProxyType({USUAL_STEM: 7, SMALL_STEM: 3})
"""The side of that convolution, by which a file of weights tells its stem."""
STAGE_FORM: Final = r"stage[1-9][0-9]?"
LAST_STAGES: Final[Mapping[str, int]] = MappingProxyType(
    {
        **dict.fromkeys(("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2"), 7),
        **{"mobilenetv3_large_100": 7, "mobilenetv4_conv_small": 5, "mobilenetv4_conv_medium": 5},
        **{"tf_efficientnetv2_s": 6, "convnext_nano": 4, "convnext_tiny": 4},
        **{"vit_small_patch14_dinov2": 12, "vit_base_patch32_clip_224": 12},
    }
)
"""The number of the stage before the head, of those in `ARCHITECTURES` that are no ResNets."""
WEIGHTS_SUFFIXES: Final = (".safetensors", ".pth", ".pt")
"""How the name of a file of starting weights ends."""

TABLE: Final = Path(__file__).with_name("networks.csv")
COLUMNS: Final = ("name", "size", "interpolation", "crop", "colours", "licence")
UNKNOWN: Final = "unknown"
"""The licence of weights whose publisher names none."""
_NOT_COMMERCIAL: Final = re.compile(r"-nc\b|noncommercial|non-commercial|amlr|nvclv|research|seer")

Colours = tuple[float, float, float]
COLOURS: Final[Mapping[str, tuple[Colours, Colours]]] = MappingProxyType(
    {
        "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
        "satellite": ((0.43, 0.411, 0.296), (0.213, 0.156, 0.143)),
        "plain": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        "dpn": (
            (124 / 255, 117 / 255, 104 / 255),
            (1 / (0.0167 * 255), 1 / (0.0167 * 255), 1 / (0.0167 * 255)),
        ),
    }
)
"""Mean and standard deviation that a network's pictures are normalised with, by the table's word for them."""

_BLOCKS: Final[Mapping[tuple[bool, int], str]] = MappingProxyType(
    {
        (False, 2): "resnet18",
        (False, 6): "resnet34",
        (True, 6): "resnet50",
        (True, 23): "resnet101",
        (True, 36): "resnet152",
    }
)
PREFIXES: Final = ("module.", "_orig_mod.", "backbone.")
"""What DataParallel, torch.compile, and a network with a part of that name put before each name."""


@dataclass(frozen=True)
class Backbone:
    """A network with published weights, as its publisher evaluates it.

    Attributes:
        name: timm's, with the weights' tag.
        size: pixels of the side of the square it sees.
        interpolation: how pictures are resized, `bilinear` or `bicubic`.
        crop: the share of the resized picture's shorter side that the square has; 0: the whole picture is
            resized to the square.
        colours: a word of `COLOURS`.
        licence: of the weights.
    """

    name: str
    size: int
    interpolation: str
    crop: float
    colours: str
    licence: str

    @property
    def restriction(self) -> str:
        """See `restriction`."""
        return restriction(f"the weights of {self.name}", self.licence)


def restriction(weights: str, licence: str) -> str:
    """What a licence keeps from the user of weights, in words; empty if nothing is known to."""
    if _NOT_COMMERCIAL.search(licence.lower()):
        return f"{weights} are licensed as {licence}, which forbids commercial use"
    return f"the licence of {weights} is not known; ask their publisher" if licence == UNKNOWN else ""


def untagged(arch: str) -> str:
    """The network's name without the tag of its weights."""
    return arch.partition(".")[0]


def is_resnet(arch: str) -> bool:
    """Whether it is one of our own ResNets, with whichever weights."""
    return untagged(arch) in BLOCKS


def backbone(arch: str) -> Backbone:
    """What the table says of a network.

    Raises:
        KeyError: there is no such network.
    """
    return _table()[arch]


def stages(arch: str) -> tuple[str, ...]:
    """A network's parts, from the picture to the classes; none where only timm knows them."""
    if is_resnet(arch):
        return STAGES
    last = LAST_STAGES.get(untagged(arch), 0)
    return (STEM, *(f"stage{number}" for number in range(1, last + 1)), HEAD) if last else ()


def why_no_stage(arch: str, stage: str) -> str:
    """Why a network cannot be trained from a stage on, in words; empty if it can, or only timm knows."""
    there = stages(arch)
    fits = stage in there if there else stage not in STAGES
    if fits or stage in (STEM, HEAD):
        return ""
    return f"a {arch} has no stage {stage}; it has {', '.join(there) or 'stem, stage1 and so on, head'}"


def why_no_stem(arch: str, stem: str, weights: str) -> str:
    """Why a network cannot begin so, in words; empty if it can."""
    if stem == USUAL_STEM:
        return ""
    if not is_resnet(arch):
        return f"only ResNets have a {stem} stem, and a {arch} is none"
    if weights == "imagenet":
        return f"no published weights have a {stem} stem; set weights to none"
    return ""


def stem_of(first_convolution: Sequence[int]) -> str:
    """How a ResNet begins whose first convolution's weights have this shape (out, in, height, width)."""
    return SMALL_STEM if first_convolution[-1] == STEM_KERNELS[SMALL_STEM] else USUAL_STEM


def names() -> Collection[str]:
    """Every name that a network can be called by."""
    return _table().keys()


@cache
def _table() -> Mapping[str, Backbone]:
    """By name with tag, and without where the first has that name. It is read when it is first asked for."""
    found: dict[str, Backbone] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        name, size, interpolation, crop, colours, licence = line.split(",")
        each = Backbone(name, int(size), interpolation, float(crop), colours, licence)
        found[name] = each
        found.setdefault(untagged(name), each)
    return found


def plain_names(names: Iterable[str]) -> frozenset[str]:
    """The tensors' names as the network has them."""
    return frozenset(plain_name(name) for name in names)


def plain_name(name: str) -> str:
    """A tensor's name without what a wrapper put before it."""
    while (prefix := next((each for each in PREFIXES if name.startswith(each)), "")) != "":
        name = name.removeprefix(prefix)
    return name


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
    named = [each for each in files if re.match(rf"{re.escape(arch)}\b", each.rpartition("/")[2])]
    choice = files if len(files) == 1 else named
    return choice[0] if len(choice) == 1 else None
