"""What a checkpoint of timm's train.py says of the test pictures, by timm's own transform; one JSON line."""

import argparse
import json
from pathlib import Path

import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

BATCH = 32


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--arch", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    classes = sorted(path.name for path in (options.data / "test").iterdir())
    network = timm.create_model(
        options.arch, num_classes=len(classes), checkpoint_path=str(options.checkpoint)
    )
    network.eval()
    config = resolve_data_config({"img_size": options.size}, model=network)
    transform = create_transform(**config)
    pictures = [
        (path, label)
        for label, name in enumerate(classes)
        for path in sorted((options.data / "test" / name).iterdir())
    ]
    right = []
    for start in range(0, len(pictures), BATCH):
        some = pictures[start : start + BATCH]
        batch = torch.stack([transform(Image.open(path).convert("RGB")) for path, _ in some])
        said = network(batch).argmax(1).tolist()
        right += [one == label for one, (_, label) in zip(said, some, strict=True)]
    print(json.dumps({"right": right}))


if __name__ == "__main__":
    main()
