"""cleanlab's and imagededup's own defaults, run where their packages are, for the doctor's benchmark."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")


def cleanlab(kept: str) -> list[float]:
    """How wrong each label is: CleanLearning with its own classifier, on the doctor's features."""
    from cleanlab.classification import CleanLearning

    data = np.load(kept)
    found = CleanLearning(seed=0).find_label_issues(data["features"], data["labels"])
    return (1 - found["label_quality"]).tolist()


def imagededup(folder: str) -> list[list[str]]:
    """Pairs that perceptual hashing finds; its network's weights are not to be had without internet."""
    from imagededup.methods import PHash

    found = PHash(verbose=False).find_duplicates(image_dir=folder, recursive=True)
    root = Path(folder)
    pairs = {tuple(sorted((one, other))) for one, others in found.items() for other in others}
    return [
        [str(Path(each).relative_to(root)) if Path(each).is_absolute() else each for each in pair]
        for pair in sorted(pairs)
    ]


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    print(json.dumps({"cleanlab": cleanlab, "imagededup": imagededup}[what](argument)))
