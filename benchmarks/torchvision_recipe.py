"""The peer: torchvision's reference recipe for classification, as it is published.

From pytorch/vision, references/classification (train.py, presets.py) with the defaults its README gives for
ResNets: SGD, learning rate 0.1, momentum 0.9, weight decay 1e-4, divided by 10 every 30 epochs, batch 32,
RandomResizedCrop(224) and a flip for training, Resize(256) and CenterCrop(224) for evaluation, float32. Run
as a process of its own: prints one JSON line with what it came to.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler
from torchvision import datasets, transforms
from torchvision.transforms.functional import InterpolationMode

from benchmarks.course_loop import validate

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    """Train and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    train_set = datasets.ImageFolder(
        options.data / "train",
        transforms.Compose(
            [
                transforms.RandomResizedCrop(224, interpolation=InterpolationMode.BILINEAR, antialias=True),
                transforms.RandomHorizontalFlip(0.5),
                transforms.PILToTensor(),
                transforms.ConvertImageDtype(torch.float),
                transforms.Normalize(mean=_MEAN, std=_STD),
            ]
        ),
    )
    valid_set = datasets.ImageFolder(
        options.data / "valid",
        transforms.Compose(
            [
                transforms.Resize(256, interpolation=InterpolationMode.BILINEAR, antialias=True),
                transforms.CenterCrop(224),
                transforms.PILToTensor(),
                transforms.ConvertImageDtype(torch.float),
                transforms.Normalize(mean=_MEAN, std=_STD),
            ]
        ),
    )
    train_loader = DataLoader(
        train_set, batch_size=32, sampler=RandomSampler(train_set), num_workers=options.workers
    )
    valid_loader = DataLoader(
        valid_set, batch_size=32, sampler=SequentialSampler(valid_set), num_workers=options.workers
    )
    model = torchvision.models.get_model("resnet18", weights=None, num_classes=len(train_set.classes))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)
    epochs = []
    for _ in range(options.epochs):
        model.train()
        began, count, total = time.perf_counter(), 0, 0.0
        for image, target in train_loader:
            output = model(image)
            loss = criterion(output, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            count += len(target)
            total += loss.item() * len(target)
        schedule.step()
        seconds = time.perf_counter() - began
        valid_loss, accuracy = validate(model, valid_loader, criterion)
        epochs.append(
            {
                "train_seconds": seconds,
                "epoch_seconds": time.perf_counter() - began,
                "images_per_second": count / seconds,
                "train_loss": total / count,
                "valid_loss": valid_loss,
                "valid_accuracy": accuracy,
            }
        )
    print(json.dumps({"epochs": epochs}))


if __name__ == "__main__":
    main()
