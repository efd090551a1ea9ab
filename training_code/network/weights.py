"""Starting weights: those that are published for a network, or a file in the channel `pretrained`.

Nothing here executes what a file says: safetensors holds numbers only, and torch's own files are read with
`weights_only`, which refuses pickled code.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from contract import networks, timm_models
from contract.networks import WEIGHTS_SUFFIXES, arch_of, plain_name
from training_code.errors import UnusableWeights
from training_code.network.fitting import Fitted, fitting
from training_code.network.fresh import fresh
from training_code.network.network import Network

IMAGENET: Final = {
    "resnet18": "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    "resnet34": "https://download.pytorch.org/models/resnet34-b627a593.pth",
    "resnet50": "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
}
"""torchvision's default weights of each network. A name ends with the beginning of its file's SHA-256."""
_HUB: Final = "https://huggingface.co/{repository}/resolve/main/{file}"
# A damaged or hostile file makes the readers fail with whatever their code happens to raise.
_UNREADABLE: Final = (
    *(SafetensorError, pickle.PickleError, RuntimeError, EOFError, OSError, struct.error, AssertionError),
    *(ValueError, TypeError, LookupError, ArithmeticError, AttributeError, MemoryError),
)
_WRAPPERS: Final = ("state_dict", "model_state_dict", "model", "net")


class NotDownloaded(Exception):
    """Published weights are not here, and their address gives no file; `url` is the address."""

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


@dataclass(frozen=True)
class Weights:
    """Tensors by name as a file has them, and what is known of the file."""

    state: Mapping[str, Tensor]
    file: str
    """Its name, for messages."""
    source: str
    """Where it came from."""
    licence: str
    sha256: str

    def describe(self) -> dict[str, str]:
        """The form of model.json."""
        return {"source": self.source, "licence": self.licence, "sha256": self.sha256}


def imagenet(arch: str) -> Weights:
    """`published`, for a job.

    Raises:
        UnusableWeights: there are none, or they could not be downloaded.
    """
    try:
        return published(arch)
    except NotDownloaded as error:
        raise UnusableWeights(
            f"{error}; a job without internet access takes them from S3 instead: "
            f"`classifier weights --arch {arch}` puts them there"
        ) from None


def published(arch: str) -> Weights:
    """The weights that are published for `arch`: torchvision's for our ResNets, else those timm names.

    Raises:
        NotDownloaded: they could not be downloaded.
        UnusableWeights: there are none.
    """
    url = _address(arch)
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if arch not in IMAGENET:  # on the hub every network's file has the same name
        path = path.with_name(f"{networks.backbone(arch).name}{path.suffix}")
    try:
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), _hash_in(url), progress=False)
    except (OSError, RuntimeError) as error:
        raise NotDownloaded(
            f"the published weights of {arch} could not be downloaded ({error})", url
        ) from None
    return Weights(read(path), path.name, url, networks.backbone(arch).licence, _sha256(path))


def from_channel(folder: Path, arch: str) -> Weights:
    """The weights in the channel `pretrained`.

    Raises:
        UnusableWeights: no file, several, or a damaged one.
    """
    path = _only_file(folder, arch)
    said = _metadata(path)
    if networks.untagged(other := said.get("arch", arch)) != networks.untagged(arch):
        raise UnusableWeights(_of_another(path.name, other, arch))
    source, licence = said.get("source", path.name), said.get("licence", networks.UNKNOWN)
    return Weights(read(path), path.name, source, licence, _sha256(path))


def from_file(path: Path, arch: str | None = None) -> tuple[str, Weights]:
    """Which network a file is of, and its weights.

    Args:
        path: a .safetensors, .pth or .pt file.
        arch: the network it has to be of; None: whichever of our ResNets it is.

    Raises:
        UnusableWeights: it is damaged, or tells of no ResNet and nobody says what it is of.
    """
    state = read(path)
    found = arch_of(state)
    if arch is None and (found is None or found not in networks.BLOCKS):
        what = f"a {found}" if found else "no ResNet"
        names = ", ".join(networks.BLOCKS)
        raise UnusableWeights(
            f"{path.name}: these are the weights of {what}; recognised are {names}, of another network "
            f"--arch says which"
        )
    return arch or str(found), Weights(state, path.name, path.name, networks.UNKNOWN, _sha256(path))


def from_published_file(path: Path, arch: str) -> Weights:
    """`published`, of a file that somebody brought here, whose word for it has to do.

    Raises:
        UnusableWeights: it is damaged, or nobody has published any.
    """
    _, found = from_file(path, arch)
    return replace(found, source=_address(arch), licence=networks.backbone(arch).licence)


def fitted(network: Network, arch: str, weights: Weights) -> Fitted:
    """What of the weights the network takes.

    Raises:
        UnusableWeights: they are another network's.
    """
    found = arch_of(weights.state)
    if found and found != networks.untagged(arch) and (found in networks.BLOCKS or networks.is_resnet(arch)):
        raise UnusableWeights(_of_another(weights.file, found, arch))
    return fitting(network, arch, weights.state, weights.file)


def checked(arch: str, weights: Weights) -> dict[str, Tensor]:
    """The tensors to stage, by the network's own names, found `fitted` to one that nobody trains.

    Raises:
        UnusableWeights: they are another network's.
    """
    with torch.device("meta"):
        network = fresh(arch, 2, networks.backbone(arch).size)
    found = fitted(network, arch, weights)
    return found.tensors | found.head


def _of_another(file: str, found: str, arch: str) -> str:
    return (
        f"{file}: these are the weights of a {found}, and the job trains a {arch}; "
        f"set arch={found} or use weights of a {arch}"
    )


def _address(arch: str) -> str:
    """Where the weights are that are published for a network."""
    if arch in IMAGENET:
        return IMAGENET[arch]
    cfg = timm_models.timm().get_pretrained_cfg(arch)
    if cfg is None or not (cfg.hf_hub_id or cfg.url):
        raise UnusableWeights(f"nobody has published weights of {arch}: set weights = none, or give a file")
    if not cfg.hf_hub_id:
        return str(cfg.url)
    return _HUB.format(repository=cfg.hf_hub_id, file=cfg.hf_hub_filename or "model.safetensors")


def _hash_in(url: str) -> str | None:
    """The beginning of the file's SHA-256, where its name ends with that."""
    found = re.search(r"-([a-f0-9]{8,})\.", url.rpartition("/")[2])
    return found[1] if found else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _metadata(path: Path) -> Mapping[str, str]:
    """What the file says of itself; `classifier weights` writes network, source and licence there."""
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError):
        return {}  # reading the tensors will say what is wrong


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
    named = [path for path in files if re.match(rf"{re.escape(arch)}\b", path.name)]
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
    return {plain_name(str(name)): value for name, value in content.items() if isinstance(value, Tensor)}
