"""AWS's own debugger rules, which watch a training beside ours when [debug] managed_rules says so."""

from __future__ import annotations

from collections.abc import Mapping

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
