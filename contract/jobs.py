"""What a training job is given and leaves: its channels beside the splits, and its folder of tensors."""

from __future__ import annotations

from typing import Final

CODE: Final = "code"
"""The channel with the training code."""
PRETRAINED: Final = "pretrained"
"""The channel with starting weights, and what the hyperparameter `weights` says then."""
CHAMPION: Final = "champion"
"""The channel with the artifact of the model that serves."""

DATASET: Final = "dataset"
"""The channel with the lists of pictures of a data set's version (`contract.datasets.manifest`): the channels
of the splits hold the files that they name.
"""

DEBUG: Final = "debug"
"""Below the output: what debugging and profiling leave."""
TENSORS: Final = "tensors"
"""Below `DEBUG`: the saved tensors, which AWS's own rules read as well."""
