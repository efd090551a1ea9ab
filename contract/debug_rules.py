"""The rules that can watch a training, by name, with their parameters' defaults.

docs/insight.md tells what each parameter means. The order is that of causes: what a rule finds can explain
what those behind it in its row find.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contract.bounds import Number

DEBUG_RULES: Final[Mapping[str, Mapping[str, float]]] = {
    "poor_weight_initialization": {"threshold": 10.0},
    "class_imbalance": {"threshold_imbalance": 10.0},
    "weight_update_ratio": {"large_threshold": 0.5, "small_threshold": 1e-8, "patience": 2},
    "exploding_tensor": {},
    "dead_relu": {"threshold_inactivity": 1.0, "threshold_layer": 50.0, "patience": 2},
    "vanishing_gradient": {"threshold": 1e-7, "patience": 2},
    "unchanged_tensor": {"rtol": 1e-5, "atol": 1e-8, "patience": 3},
    "overfit": {"ratio_threshold": 1.0, "least_gap": 0.1, "learned": 0.2, "patience": 2},
    "overtraining": {"patience_train": 5, "patience_validation": 10, "delta": 0.01},
    "loss_not_decreasing": {"diff_percent": 0.1, "num_saves": 5, "learned": 0.5},
    "confusion": {"max_off_diag": 0.3, "patience": 2},
}
PROFILE_RULES: Final[Mapping[str, Mapping[str, float]]] = {
    "dataloader": {"threshold": 20.0},
    "io_bottleneck": {"threshold": 20.0, "io_threshold": 20.0},
    "cpu_bottleneck": {"cpu_threshold": 90.0, "gpu_threshold": 50.0, "threshold": 50.0},
    "low_gpu_utilization": {"threshold": 70.0},
    "gpu_memory_increase": {"increase": 10.0, "least_mb": 64.0},
    "batch_size": {"gpu_threshold": 70.0, "memory_threshold": 50.0},
    "step_outlier": {"deviations": 6.0, "least_share": 3.0},
    "load_balancing": {"threshold": 20.0},
}

RULES: Final[Mapping[str, Mapping[str, float]]] = {**DEBUG_RULES, **PROFILE_RULES}
"""Every rule, as `debug_rules` may name it."""
_CHAIN: Final = (
    "poor_weight_initialization",
    "weight_update_ratio",
    "exploding_tensor",
    "dead_relu",
    "vanishing_gradient",
    "unchanged_tensor",
)
"""Each can explain those behind it."""
CAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    **{rule: _CHAIN[:place] for place, rule in enumerate(_CHAIN[:4])},
    "vanishing_gradient": (*_CHAIN[:4], "overfit"),
    "unchanged_tensor": (*_CHAIN[:5], "overfit"),
    "overfit": (_CHAIN[0], "class_imbalance", *_CHAIN[1:3]),
    "overtraining": ("overfit",),
    "loss_not_decreasing": (*_CHAIN, "overfit"),
    "confusion": (_CHAIN[0], "class_imbalance", *_CHAIN[1:], "overfit", "loss_not_decreasing"),
    "dataloader": ("io_bottleneck",),
    "low_gpu_utilization": ("io_bottleneck", "dataloader", "cpu_bottleneck", "batch_size"),
    "batch_size": ("io_bottleneck", "dataloader", "cpu_bottleneck"),
    "cpu_bottleneck": ("io_bottleneck", "dataloader"),
}
"""By rule, those whose finding explains what it finds: the first found of them is told in its place."""
PARAMETER: Final = Number(least=-1e12, most=1e12)
"""What any parameter may be."""
