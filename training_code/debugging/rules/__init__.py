"""The debugging rules: each an `smdebug.rules.Rule` that reads the saved tensors of a step and judges them.

Names and parameters are in `contract.debug_rules`, what each finds in docs/insight.md. Each says what it
changes of AWS's definition ("List of Debugger built-in rules",
docs.aws.amazon.com/sagemaker/latest/dg/debugger-built-in-rules.html), and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contract.debug_rules import DEBUG_RULES
from training_code.debugging.rules.classes import ClassImbalance, Confusion
from training_code.debugging.rules.gradients import DeadRelu, ExplodingTensor, VanishingGradient
from training_code.debugging.rules.losses import LossNotDecreasing, Overfit, Overtraining
from training_code.debugging.rules.parameters import (
    PoorWeightInitialization,
    UnchangedTensor,
    WeightUpdateRatio,
)
from training_code.debugging.rules.rule import TrainingRule

RULE_CLASSES: Final[Mapping[str, type[TrainingRule]]] = {
    "poor_weight_initialization": PoorWeightInitialization,
    "class_imbalance": ClassImbalance,
    "weight_update_ratio": WeightUpdateRatio,
    "exploding_tensor": ExplodingTensor,
    "dead_relu": DeadRelu,
    "vanishing_gradient": VanishingGradient,
    "unchanged_tensor": UnchangedTensor,
    "overfit": Overfit,
    "overtraining": Overtraining,
    "loss_not_decreasing": LossNotDecreasing,
    "confusion": Confusion,
}
assert list(RULE_CLASSES) == list(DEBUG_RULES)  # noqa: S101  (each rule has its class)
