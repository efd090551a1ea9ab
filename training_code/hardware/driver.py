"""Whether a job on an instance with GPUs can use them; asked before anything else is done.

A training job offers no choice of its host's driver, so a PyTorch that is too new for it would compute on the
processor, at the GPU's price and a fraction of its speed.
"""

from __future__ import annotations

import os

import torch

from contract.instances import pays_for_gpu
from contract.nvidia import driver_version, why_none
from training_code.entrypoint import COMPATIBLE, compatible_version
from training_code.errors import NoGpu


def check(instance_type: str, *, allow_cpu: bool) -> None:
    """See that PyTorch finds the GPU that a job pays for; `allow_cpu` takes the processor all the same.

    Raises:
        NoGpu: it finds none; the message names driver and versions.
    """
    if not pays_for_gpu(instance_type) or torch.cuda.is_available():
        return
    why = "this PyTorch is built without CUDA; take the training image's target gpu"
    if torch.version.cuda is not None:
        why = why_none(torch.cuda.init)
    found = f"{instance_type} has a GPU, and this job cannot use it: {why} ({_versions()})"
    if not allow_cpu:
        raise NoGpu(
            f"{found}. Nothing was trained; with [resources] allow_cpu = true a job computes on the "
            f"processor of such an instance, at its full price"
        )
    print(f"warning: {found}; allow_cpu: computing on the processor", flush=True)


def _versions() -> str:
    """The driver and all that has to suit it."""
    devices = os.environ.get("NVIDIA_VISIBLE_DEVICES")
    ours = compatible_version()
    used = str(COMPATIBLE) in os.environ.get("LD_LIBRARY_PATH", "").split(":")
    return ", ".join(
        (
            f"driver {driver_version() or 'none'}",
            f"PyTorch {torch.__version__}",
            f"CUDA {torch.version.cuda or 'none'}",
            f"compatibility libraries {ours + (' in use' if used else ' not in use') if ours else 'none'}",
            f"NVIDIA_VISIBLE_DEVICES={devices}" if devices else "NVIDIA_VISIBLE_DEVICES not set",
        )
    )
