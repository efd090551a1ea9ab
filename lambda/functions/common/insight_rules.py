"""The rules that can watch a training, and their parameters: what [debug] may name.

The training code has the rules themselves (training_code/debugging/catalogue.py) and is not part of a Lambda;
a test holds this list equal to that one.
"""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, tuple[str, ...]] = {
    "poor_weight_initialization": ("threshold",),
    "class_imbalance": ("threshold_imbalance",),
    "weight_update_ratio": ("large_threshold", "small_threshold", "patience"),
    "exploding_tensor": (),
    "dead_relu": ("threshold_inactivity", "threshold_layer", "patience"),
    "vanishing_gradient": ("threshold", "patience"),
    "unchanged_tensor": ("rtol", "atol", "patience"),
    "overfit": ("ratio_threshold", "least_gap", "learned", "patience"),
    "overtraining": ("patience_train", "patience_validation", "delta"),
    "loss_not_decreasing": ("diff_percent", "num_saves", "learned"),
    "confusion": ("max_off_diag", "patience"),
    "dataloader": ("threshold",),
    "io_bottleneck": ("threshold", "io_threshold"),
    "cpu_bottleneck": ("cpu_threshold", "gpu_threshold", "threshold"),
    "low_gpu_utilization": ("threshold",),
    "gpu_memory_increase": ("increase", "least_mb"),
    "batch_size": ("gpu_threshold", "memory_threshold"),
    "step_outlier": ("deviations", "least_share"),
    "load_balancing": ("threshold",),
}

MANAGED_RULES: tuple[str, ...] = (
    "VanishingGradient",
    "ExplodingTensor",
    "Overfit",
    "Overtraining",
    "PoorWeightInitialization",
    "LossNotDecreasing",
    "DeadRelu",
    "UnchangedTensor",
    "WeightUpdateRatio",
    "ClassImbalance",
    "Confusion",
)
"""AWS's own, of the images below. Only accounts that used SageMaker Debugger before 2026-07-30 have them."""

MANAGED_ACCOUNTS: Mapping[str, str] = {
    "af-south-1": "314341159256",
    "ap-east-1": "199566480951",
    "ap-northeast-1": "430734990657",
    "ap-northeast-2": "578805364391",
    "ap-northeast-3": "479947661362",
    "ap-south-1": "904829902805",
    "ap-southeast-1": "972752614525",
    "ap-southeast-2": "184798709955",
    "ca-central-1": "519511493484",
    "eu-central-1": "482524230118",
    "eu-north-1": "314864569078",
    "eu-south-1": "563282790590",
    "eu-west-1": "929884845733",
    "eu-west-2": "250201462417",
    "eu-west-3": "447278800020",
    "me-south-1": "986000313247",
    "sa-east-1": "818342061345",
    "us-east-1": "503895931360",
    "us-east-2": "915447279597",
    "us-west-1": "685455198987",
    "us-west-2": "895741380848",
}
"""Whose registry has the image sagemaker-debugger-rules, by region. Source: sagemaker-core 2.27.0,
image_uri_config/debugger.json.
"""
