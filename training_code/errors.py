"""What can go wrong in a training job for a reason its owner can mend.

Each of these ends the job with one message, in the log and in SageMaker's FailureReason, and without a
traceback. Anything else that is raised is a fault of this program and keeps its traceback.
"""

from __future__ import annotations


class TrainingError(Exception):
    """The job cannot go on; the message says what is wrong, where, and what to do."""


class InvalidHyperparameter(TrainingError):
    """A hyperparameter is unknown, or its value is not allowed."""


class UnusableDataset(TrainingError):
    """The pictures cannot be trained on as they are."""


class UnusableWeights(TrainingError):
    """The starting weights are damaged, or belong to another network."""


class UnusableCheckpoint(TrainingError):
    """The checkpoint found is of another job."""


class TrainingDiverged(TrainingError):
    """The loss is no longer a finite number."""


class OutOfMemory(TrainingError):
    """The machine's memory, or its GPU's, does not hold one step."""


class NoGpu(TrainingError):
    """The instance has a GPU, and PyTorch cannot use it."""


class StoppedByRule(TrainingError):
    """A debugging rule ended the training before there was a model to keep."""
