"""The NVIDIA driver of this machine, and why there is no GPU to compute on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/version")


def driver_version() -> str:
    """Such as 580.95.05; empty where there is no driver."""
    try:
        text = DRIVER.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"\b\d{3,}\.\d+(\.\d+)?\b", text)
    return found[0] if found else ""


def why_none(init: Callable[[], object]) -> str:
    """Why PyTorch finds no GPU, by what its `torch.cuda.init` says."""
    try:
        init()
    except (RuntimeError, AssertionError) as error:  # no driver, or one too old for this CUDA
        return str(error).partition("\n")[0].rstrip(".")
    return "the driver offers none"
