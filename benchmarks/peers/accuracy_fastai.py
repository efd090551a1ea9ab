"""fastai's fine_tune with its own defaults, for the accuracy benchmark; prints one JSON line.

Its learner for pictures, its augmentations, and the epochs that follow its frozen one: so many that both
together are as many as everybody has.
"""

import argparse
import json
import time
from pathlib import Path

from fastai.vision.all import (
    ImageDataLoaders,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--arch", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-flip", action="store_true")
    options = parser.parse_args()
    set_seed(options.seed, reproducible=True)
    classes = sorted(path.name for path in (options.data / "train").iterdir())
    loaders = ImageDataLoaders.from_folder(
        options.data,
        train="train",
        valid="valid",
        bs=options.batch_size,
        vocab=classes,
        item_tfms=Resize(options.size),
        batch_tfms=aug_transforms(do_flip=not options.no_flip),
    )
    learner = vision_learner(
        loaders, options.arch, metrics=accuracy, pretrained_cfg_overlay={"file": str(options.weights)}
    )
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(max(1, options.epochs - 1))
        tested_at = time.perf_counter()
        pictures = [
            (path, label)
            for label, name in enumerate(classes)
            for path in sorted((options.data / "test" / name).iterdir())
        ]
        scores, _ = learner.get_preds(dl=loaders.test_dl([path for path, _ in pictures]))
    right = [int(said) == label for said, (_, label) in zip(scores.argmax(1), pictures, strict=True)]
    print(json.dumps({"right": right, "test_seconds": time.perf_counter() - tested_at}))


if __name__ == "__main__":
    main()
