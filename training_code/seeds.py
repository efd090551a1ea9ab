"""Random numbers that depend on what they are for, not on what was drawn before.

Each use names itself (`generator(seed, "order", epoch)`), so an epoch's order and a step's augmentation are
the same whether the job ran through or was interrupted and came back: there is no generator state to save.
"""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A fresh generator for this seed and purpose."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
