"""A network by its name: our own ResNets, which cost no import of timm, and all of timm's."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from contract import networks
from training_code.network.network import Network
from training_code.network.resnet import FIRST_CONVOLUTION, resnet


def fresh(arch: str, classes: int, image_size: int, stem: str = networks.USUAL_STEM) -> Network:
    """A freshly initialised network; a ResNet begins with this stem.

    Raises:
        InvalidHyperparameter: it cannot be had, or not for pictures of this size.
    """
    if networks.is_resnet(arch):
        return resnet(arch, classes, stem)
    from training_code.network.backbone import backbone

    return backbone(arch, classes, image_size)


def trained(arch: str, classes: int, image_size: int, state: Mapping[str, Tensor]) -> Network:
    """The network whose weights these are, with them.

    Raises:
        InvalidHyperparameter: see `fresh`.
        RuntimeError: they are another network's.
    """
    stem = networks.USUAL_STEM
    if networks.is_resnet(arch) and (first := state.get(FIRST_CONVOLUTION)) is not None:
        stem = networks.stem_of(first.shape)
    network = fresh(arch, classes, image_size, stem)
    network.load_state_dict(state)
    return network
