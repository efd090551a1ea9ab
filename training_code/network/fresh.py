"""A network by its name: our own ResNets, which cost no import of timm, and all of timm's."""

from __future__ import annotations

from contract import networks
from training_code.network.network import Network
from training_code.network.resnet import resnet


def fresh(arch: str, classes: int, image_size: int) -> Network:
    """A freshly initialised network.

    Raises:
        InvalidHyperparameter: it cannot be had, or not for pictures of this size.
    """
    if networks.is_resnet(arch):
        return resnet(arch, classes)
    from training_code.network.backbone import backbone

    return backbone(arch, classes, image_size)
