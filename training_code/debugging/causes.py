"""Which rules' findings explain those of others. A finding with a known cause is told with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "poor_weight_initialization": (),
    "class_imbalance": (),
    "weight_update_ratio": ("poor_weight_initialization",),
    "exploding_tensor": ("poor_weight_initialization", "weight_update_ratio"),
    "dead_relu": ("poor_weight_initialization", "weight_update_ratio", "exploding_tensor"),
    "vanishing_gradient": (
        "poor_weight_initialization",
        "weight_update_ratio",
        "exploding_tensor",
        "dead_relu",
        "overfit",
    ),
    "unchanged_tensor": (
        "poor_weight_initialization",
        "weight_update_ratio",
        "exploding_tensor",
        "dead_relu",
        "vanishing_gradient",
        "overfit",
    ),
    "overfit": ("poor_weight_initialization", "class_imbalance", "weight_update_ratio", "exploding_tensor"),
    "overtraining": ("overfit",),
    "loss_not_decreasing": (
        "poor_weight_initialization",
        "weight_update_ratio",
        "exploding_tensor",
        "dead_relu",
        "vanishing_gradient",
        "unchanged_tensor",
        "overfit",
    ),
    "confusion": (
        "poor_weight_initialization",
        "class_imbalance",
        "weight_update_ratio",
        "exploding_tensor",
        "dead_relu",
        "vanishing_gradient",
        "unchanged_tensor",
        "overfit",
        "loss_not_decreasing",
    ),
}
"""By rule, those whose finding explains what it finds."""
