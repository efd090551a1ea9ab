"""A network's features, from a file of its weights alone: our ResNets, and timm's EfficientNet-Lite0.

Nothing in a file is run: safetensors holds numbers only, and torch reads its own files with `weights_only`.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from contract import timm_models
from contract.networks import USUAL_STEM, WEIGHTS_SUFFIXES, stem_of
from contract.pictures import file
from contract.pictures.parts import UndecodablePicture
from contract.pictures.transform import Transform
from doctor.pictures.album import Floats
from doctor.records import Record

_BATCH: Final = 32
_SAMPLE: Final = 64
_SMALL: Final = 64
_USUAL: Final = 224
_UNREADABLE: Final = (
    *(pickle.PickleError, RuntimeError, EOFError, OSError, struct.error, AssertionError, ValueError),
    *(TypeError, LookupError, ArithmeticError, AttributeError, MemoryError),
)
_WRAPPERS: Final = ("state_dict", "model_state_dict", "model", "net")
_LITE0: Final = "tf_efficientnet_lite0"
_LITE0_TENSORS: Final = 296

State = Mapping[str, Tensor]
Network = Callable[[Tensor], Tensor]


class UnusableWeights(Exception):
    """A file of weights that no features can be had from; the message says why and what to do."""


class NetworkFeatures:
    """What a network says of pictures before its last layer."""

    def __init__(self, name: str, network: Network, transform: Transform) -> None:
        self.name = name
        self.transform: Transform | None = transform
        self._network = network
        scale = torch.tensor(transform.std) * 255
        self._mean = (torch.tensor(transform.mean) * 255).view(1, 3, 1, 1)
        self._scale = scale.view(1, 3, 1, 1)

    @torch.inference_mode()
    def __call__(self, squares: NDArray[np.uint8], pixels: NDArray[np.uint8] | None) -> Floats:
        if pixels is None:
            raise ValueError("a network's features are made of pixels")
        parts = []
        for start in range(0, len(pixels), _BATCH):
            batch = torch.from_numpy(pixels[start : start + _BATCH]).permute(0, 3, 1, 2).float()
            batch = ((batch - self._mean) / self._scale).contiguous()
            parts.append(self._network(batch).float())
        return torch.cat(parts).numpy()


def from_file(path: Path, image_size: int = _USUAL) -> NetworkFeatures:
    """The features of the network whose weights these are.

    Args:
        image_size: pixels of the side of what the network is shown, see `suited_size`.

    Raises:
        UnusableWeights: damaged, or of no network that is known.
    """
    state = _read(path)
    if "layer4.0.conv1.weight" in state:
        return NetworkFeatures("ResNet", _resnet(path, state), Transform.of_size(image_size))
    if len(state) == _LITE0_TENSORS:
        half = (0.5, 0.5, 0.5)
        # Small pictures are shown whole: their margin is a part of what little there is.
        side = image_size if image_size < _USUAL else round(image_size / 0.875)
        transform = Transform(side, "shorter", image_size, half, half)
        return NetworkFeatures("EfficientNet-Lite0", _lite0(path, state, image_size), transform)
    raise UnusableWeights(
        f"{path.name} holds the weights of no network the doctor knows: give those of a ResNet-18, -34 or "
        f"-50 (a model.safetensors of this project, or torchvision's), or of EfficientNet-Lite0"
    )


def suited_size(records: Sequence[Record]) -> int:
    """What these pictures are best shown at: 224 pixels, and small ones at 192.

    More flipped labels of CIFAR-10 are found at 192 than at 128 (0.87 to 0.84), for twice the time.
    """
    step = max(1, len(records) // _SAMPLE)
    sides = []
    for record in records[::step][:_SAMPLE]:
        try:
            picture = file.read(record.read())
        except (OSError, UndecodablePicture):
            continue
        sides.append(min(picture.width, picture.height))
    return 192 if sides and float(np.median(sides)) <= _SMALL else _USUAL


def _read(path: Path) -> State:
    if path.suffix not in WEIGHTS_SUFFIXES:
        raise UnusableWeights(
            f"{path.name} does not end in {', '.join(WEIGHTS_SUFFIXES)}; name it after what it is"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors import SafetensorError
            from safetensors.torch import load_file

            try:
                content: Any = load_file(path)
            except SafetensorError as error:
                raise ValueError(str(error)) from None
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).split(". ")[0]
        raise UnusableWeights(f"{path.name} cannot be read as weights, give another file: {reason}") from None
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise UnusableWeights(f"{path.name} holds no named tensors (no state_dict)")
    return {
        str(name).removeprefix("module."): value
        for name, value in content.items()
        if isinstance(value, Tensor)
    }


def _resnet(path: Path, state: State) -> Network:
    """ResNet-18, -34 or -50 (torchvision's names), as far as its pooled features."""
    raw = {name: value.float() for name, value in state.items() if value.is_floating_point()}

    @cache
    def folded(name: str, norm: str) -> tuple[Tensor, Tensor]:
        """A convolution's weights with the norm behind it, and what is added."""
        mean, variance, gain, offset = (
            raw[f"{norm}.{each}"] for each in ("running_mean", "running_var", "weight", "bias")
        )
        gain = gain / (variance + 1e-5).sqrt()
        return raw[f"{name}.weight"] * gain[:, None, None, None], offset - mean * gain

    def conv(x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        weight, offset = folded(name, norm)
        return functional.conv2d(x, weight, offset, stride, weight.shape[-1] // 2)

    def block(x: Tensor, name: str, stride: int) -> Tensor:
        last = 3 if f"{name}.conv3.weight" in raw else 2
        out = x
        for number in range(1, last + 1):
            # The stride sits in the first 3x3 convolution.
            here = stride if number == last - 1 else 1
            out = conv(out, f"{name}.conv{number}", f"{name}.bn{number}", here)
            out = out.relu_() if number < last else out
        if f"{name}.downsample.0.weight" in raw:
            x = conv(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        return out.add_(x).relu_()

    def network(x: Tensor) -> Tensor:
        if stem_of(raw["conv1.weight"].shape) == USUAL_STEM:
            x = functional.max_pool2d(conv(x, "conv1", "bn1", 2).relu_(), 3, 2, 1)
        else:
            x = conv(x, "conv1", "bn1").relu_()
        for layer in range(1, 5):
            number = 0
            while f"layer{layer}.{number}.conv1.weight" in raw:
                x = block(x, f"layer{layer}.{number}", 2 if layer > 1 and number == 0 else 1)
                number += 1
        return x.mean((2, 3))

    return _tried(path, network)


def _lite0(path: Path, state: State, image_size: int) -> Network:
    model: Any = timm_models.timm().create_model(_LITE0, pretrained=False)
    own = model.state_dict()
    if [value.shape for value in own.values()] != [value.shape for value in state.values()]:
        raise UnusableWeights(f"{path.name} holds the weights of no network the doctor knows")
    # The order is the same, the names are of another publisher.
    model.load_state_dict(dict(zip(own, state.values(), strict=True)))
    model.eval().reset_classifier(0)
    with torch.no_grad():
        # Frozen, its norms are part of its convolutions: a third quicker.
        traced = torch.jit.trace(model, torch.zeros(2, 3, image_size, image_size))  # type: ignore[no-untyped-call]
        frozen: Network = torch.jit.freeze(traced)
    return _tried(path, frozen)


def _tried(path: Path, network: Network) -> Network:
    """The network, after it has looked at one picture."""
    try:
        with torch.inference_mode():
            found = network(torch.zeros(1, 3, 64, 64))
    except _UNREADABLE as error:
        raise UnusableWeights(f"{path.name} does not fit its network: {error}") from None
    if not torch.isfinite(found).all():
        raise UnusableWeights(f"{path.name} holds numbers that are not finite (NaN or infinite)")
    return network
