"""The PyTorch form of a network of timm's: for GPUs, and for models without a serving form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from contract import timm_models
from contract.answers.explanation import NOT_LINEAR, NOT_POOLED, ONE_PLACE, NotExplained
from inference_code.model.bad_artifact import BadArtifact

_ALIKE = 1e-3
"""Of the largest feature, what the mean over places may differ from the head's input by."""


def network(path: Path, arch: str, classes: int, side: int, place: dict[str, Any]) -> Telling:
    """The network with its weights, ready to answer.

    Args:
        path: its state dict.
        arch: timm's name.
        classes: outputs it has.
        side: pixels of the side of its pictures.
        place: device and number format, as `torch.nn.Module.to` takes them.

    Raises:
        BadArtifact: timm is not here or has no such network, or the file is damaged or not of it.
    """
    try:
        timm = timm_models.timm()
    except ImportError:
        raise BadArtifact(
            f"a {arch} without a serving form is served by timm, which this image lacks; train it again, and "
            "see why that job wrote no serving form (model.json: serving.reason)."
        ) from None
    try:
        cfg = timm.get_pretrained_cfg(arch)
        size = {"img_size": side} if cfg is not None and cfg.fixed_input_size else {}
        model: torch.nn.Module = timm.create_model(arch, num_classes=classes, **size)
        model.load_state_dict(safetensors.torch.load_file(path))
    except SafetensorError as error:
        raise BadArtifact(f"{path.name} is damaged: {error}") from error
    except OSError as error:
        raise BadArtifact(f"{path.name} cannot be read: {error}.") from error
    except (RuntimeError, ValueError, KeyError, AssertionError, TypeError) as error:
        reason = "; ".join(str(error).strip().splitlines()[:3])
        raise BadArtifact(f"{path.name} is not a {arch} of {classes} classes: {reason}") from error
    return Telling(model.eval().to(**place, memory_format=torch.channels_last))  # type: ignore[call-overload]


class Telling(torch.nn.Module):
    """A network whose scores are followed by what goes into its head: (n, classes + features)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        head = network.get_classifier()
        self.head = head if isinstance(head, torch.nn.Linear | torch.nn.Conv2d) else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores and features of pictures (n, 3, side, side)."""
        if self.head is None:
            return self.network(x)  # type: ignore[no-any-return]
        found: list[torch.Tensor] = []
        handle = self.head.register_forward_pre_hook(lambda _head, inputs: found.append(inputs[0].flatten(1)))
        try:
            scores: torch.Tensor = self.network(x)
        finally:
            handle.remove()
        told = [each.shape[1] for each in found] == [self.head.weight.shape[1]]
        return torch.cat([scores, found[0]], 1) if told else scores

    def by_place(self, x: torch.Tensor) -> torch.Tensor:
        """What each place of the last feature map adds to each score of a picture (1, 3, side, side).

        Returns:
            (height, width, classes).

        Raises:
            NotExplained: its head is not one linear layer upon the mean over places, which the picture tells.
        """
        places = self.network.forward_features(x)
        if places.dim() != 4:
            raise NotExplained(NOT_POOLED)
        if getattr(self.network, "output_fmt", "NCHW") != "NHWC":
            places = places.permute(0, 2, 3, 1)
        if self.head is None or places.shape[3] != self.head.weight.shape[1]:
            raise NotExplained(NOT_LINEAR)
        features = self(x)[:, -places.shape[3] :]
        if not torch.allclose(
            places.mean((1, 2)), features, rtol=0, atol=_ALIKE * float(features.abs().max())
        ):
            raise NotExplained(NOT_LINEAR)
        if places.shape[1] * places.shape[2] == 1:
            raise NotExplained(ONE_PLACE)
        told: torch.Tensor = places[0] @ self.head.weight.flatten(1).T
        return told
