"""Starting weights: ImageNet's as torchvision publishes them, or a file in the channel `pretrained`.

Nothing here executes what a file says: safetensors holds numbers only, and torch's own files are read with
`weights_only`, which refuses pickled code.
"""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from contract.networks import ARCHITECTURES, WEIGHTS_SUFFIXES, arch_of
from training_code.errors import UnusableWeights
from training_code.network.resnet import resnet

IMAGENET: Final = {
    "resnet18": "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    "resnet34": "https://download.pytorch.org/models/resnet34-b627a593.pth",
    "resnet50": "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
}
"""torchvision's default weights of each network. A name ends with the beginning of its file's SHA-256."""
# A damaged or hostile file makes the readers fail with whatever their code happens to raise.
_UNREADABLE: Final = (
    *(SafetensorError, pickle.PickleError, RuntimeError, EOFError, OSError, struct.error, AssertionError),
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError, MemoryError),
)
_HEAD: Final = ("fc.weight", "fc.bias")
_WRAPPERS: Final = ("state_dict", "model_state_dict", "model", "net")


def imagenet(arch: str) -> dict[str, Tensor]:
    """torchvision's default ImageNet weights for `arch`, without the last layer.

    Raises:
        UnusableWeights: they could not be downloaded.
    """
    try:
        state = torch.hub.load_state_dict_from_url(
            IMAGENET[arch], progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise UnusableWeights(
            f"ImageNet's weights for {arch} could not be downloaded ({error}); a job without internet access "
            f"takes them from S3 instead: `classifier weights --arch {arch}` puts them there"
        ) from None
    return _fitting(state, arch, "torchvision's ImageNet weights")


def from_channel(folder: Path, arch: str) -> dict[str, Tensor]:
    """The weights in the channel `pretrained`, checked against `arch`, without the last layer.

    Raises:
        UnusableWeights: no file, several, a damaged one, or one of another network.
    """
    path = _only_file(folder, arch)
    return _fitting(read(path), arch, path.name)


def from_file(path: Path, arch: str | None = None) -> tuple[str, dict[str, Tensor]]:
    """Which network a file is of, and its weights without the last layer.

    Args:
        arch: the network it has to be of; None: whichever of ours it is.

    Raises:
        UnusableWeights: it is damaged, or of no network this project trains.
    """
    state = read(path)
    found = arch_of(state)
    if found is None or found not in ARCHITECTURES:
        what = f"a {found}" if found else "no ResNet"
        names = ", ".join(ARCHITECTURES)
        raise UnusableWeights(f"{path.name}: these are the weights of {what}; there are {names}")
    return found, _fitting(state, arch or found, path.name)


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of one .safetensors, .pth or .pt file, by name.

    Raises:
        UnusableWeights: the file is damaged, holds something else, or could only be read by running code.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"version https://git-lfs"):
        raise UnusableWeights(
            f"{path.name} is a Git LFS pointer, not the weights themselves; fetch them with `git lfs pull` "
            f"and upload the file again"
        )
    if not head or head.lstrip()[:1] == b"<":
        what = "a web page" if head else "empty"
        raise UnusableWeights(f"{path.name} is {what}, not a file of weights; upload it again")
    try:
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise UnusableWeights(_why_unreadable(path, error)) from None
    return _tensors(path, content)


def _only_file(folder: Path, arch: str) -> Path:
    """The one file of weights; of several the one named after the network, as torchvision names its own."""
    found = folder.rglob("*") if folder.is_dir() else ()
    files = sorted(path for path in found if path.suffix in WEIGHTS_SUFFIXES)
    named = [path for path in files if re.match(rf"{arch}\b", path.name)]
    choice = files if len(files) == 1 else named
    if len(choice) == 1:
        return choice[0]
    there = ", ".join(path.name for path in files) or "no such file"
    raise UnusableWeights(
        f"weights=pretrained needs one {' or '.join(WEIGHTS_SUFFIXES)} file in the channel 'pretrained' "
        f"(of several, one whose name begins with {arch}); there is: {there}"
    )


def _why_unreadable(path: Path, error: Exception) -> str:
    reason = str(error)
    if "legacy .tar" in reason:
        return (
            f"{path.name} is in torch's old tar format, which cannot be read without running code from the "
            f"file; save it once more with a current torch (torch.save or safetensors) and use that file"
        )
    if isinstance(error, pickle.UnpicklingError) and ("GLOBAL" in reason or "REDUCE" in reason):
        return (
            f"{path.name} holds more than tensors, and reading it would run code from the file; save only "
            f"the state_dict, best as safetensors, and use that file"
        )
    if isinstance(error, pickle.UnpicklingError):
        return (
            f"{path.name} ({path.stat().st_size} bytes) is damaged or incomplete, or was pickled in a way "
            f"that could run code from the file; upload it again, best as safetensors"
        )
    first = next(iter(reason.strip().splitlines()), type(error).__name__).split(". ")[0]
    return f"{path.name} ({path.stat().st_size} bytes) is damaged or incomplete, upload it again: {first}"


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    """The state dict, out of the wrappings that training scripts put around it."""
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise UnusableWeights(f"{path.name} holds no named tensors (no state_dict)")
    return {
        str(name).removeprefix("module."): value
        for name, value in content.items()
        if isinstance(value, Tensor)
    }


def _fitting(state: Mapping[str, Tensor], arch: str, source: str) -> dict[str, Tensor]:
    """What of `state` the network takes, all of it but the last layer, which is always learned anew."""
    with torch.device("meta"):
        wanted = resnet(arch, 2).state_dict()
    found = arch_of(state)
    if found and found != arch:
        raise UnusableWeights(
            f"{source}: these are the weights of a {found}, and the job trains a {arch}; "
            f"set arch={found} or use weights of a {arch}"
        )
    fitting: dict[str, Tensor] = {}
    for name, like in wanted.items():
        if name in _HEAD or (name not in state and name.endswith("num_batches_tracked")):
            continue
        if name not in state or state[name].shape != like.shape:
            have = f"has shape {tuple(state[name].shape)}" if name in state else "is missing"
            raise UnusableWeights(
                f"{source}: not the weights of a {arch}: {name} of shape {tuple(like.shape)} {have}"
            )
        fitting[name] = state[name].to(like.dtype)
        if not torch.isfinite(fitting[name]).all():
            raise UnusableWeights(f"{source}: {name} holds numbers that are not finite (NaN or infinite)")
    return fitting
