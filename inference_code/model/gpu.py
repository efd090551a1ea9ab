"""Whether the network computes on a GPU, and what is said where it was to and cannot."""

from __future__ import annotations

import logging
import os

import torch

from contract import nvidia
from inference_code.environment import NoGpu

log = logging.getLogger("network")

# What NVIDIA's runtime gives no device for. https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/
# latest/docker-specialized.html
_NONE = ("", "void", "none")


def device() -> torch.device:
    """Where to compute: on the GPU if there is one that PyTorch can use.

    An endpoint is told nothing of its instance, so the image says whether it is for a GPU: the target gpu
    sets NVIDIA_VISIBLE_DEVICES, with which NVIDIA's runtime gives it one.

    Raises:
        NoGpu: the image is for a GPU and finds none; the message names driver and versions.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.version.cuda is not None:  # a PyTorch for a processor alone has nothing to miss
        asked = os.environ.get("NVIDIA_VISIBLE_DEVICES", "")
        driver = nvidia.driver_version() or ("unknown" if nvidia.DRIVER.exists() else "none")
        versions = f"driver {driver}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}"
        found = f"{nvidia.why_none(torch.cuda.init)} ({versions})"
        if asked not in _NONE:
            raise NoGpu(
                f"This image is for instances with a GPU and cannot use one: {found}. It would answer on the "
                "processor, at the GPU's price; with NVIDIA_VISIBLE_DEVICES=void in its environment it does."
            )
        log.warning("no GPU: computing on the CPU", extra={"fields": {"reason": found}})
    return torch.device("cpu")
