"""The peer: the training loop that course projects use, written plainly.

Pictures in class folders through ImageFolder and a DataLoader, float32, eager; frozen layers have
`requires_grad = False` and are still run forward in every epoch; train and validation pass one after the
other. Run as a process of its own: prints one JSON line with what it came to. `--arch` takes one of timm's
networks in the place of torchvision's ResNet-18, and `--test` asks the test split too, after the last epoch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
import torchvision
from torch import nn, optim
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

Loader = DataLoader[Any]
Colours = tuple[Sequence[float], Sequence[float]]
"""Mean and deviation of each channel."""
IMAGENET: Colours = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def loaders(
    data: Path, size: int, batch_size: int, workers: int, colours: Colours = IMAGENET
) -> tuple[Loader, Loader]:
    """Train and validation, as the courses' notebooks make them."""
    normalise = transforms.Normalize(*colours)
    train = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            normalise,
        ]
    )
    return (
        DataLoader(
            datasets.ImageFolder(data / "train", train), batch_size, shuffle=True, num_workers=workers
        ),
        unvaried(data / "valid", size, batch_size, workers, colours),
    )


def unvaried(folder: Path, size: int, batch_size: int, workers: int, colours: Colours = IMAGENET) -> Loader:
    """A split's pictures as they are, in the order of their names."""
    plain = transforms.Compose(
        [transforms.Resize((size, size)), transforms.ToTensor(), transforms.Normalize(*colours)]
    )
    return DataLoader(datasets.ImageFolder(folder, plain), batch_size, num_workers=workers)


def network(classes: int, trainable_from: str, weights: Path | None, arch: str = "resnet18") -> nn.Module:
    """torchvision's ResNet18, or one of timm's; `layer4` and `head` leave everything before it frozen.

    `weights` are a state dict of the network's names; of timm's networks the head is always new.
    """
    if arch != "resnet18":
        import timm

        overlay = {"file": str(weights)} if weights else None
        of_timm: Any = timm.create_model(
            arch, pretrained=weights is not None, num_classes=classes, pretrained_cfg_overlay=overlay
        )
        if trainable_from == "head":
            of_timm.requires_grad_(requires_grad=False)
            of_timm.get_classifier().requires_grad_(requires_grad=True)
        return of_timm  # type: ignore[no-any-return]
    model = torchvision.models.resnet18()
    model.fc = nn.Linear(model.fc.in_features, classes)
    if weights:
        model.load_state_dict(torch.load(weights, weights_only=True))
    if trainable_from == "layer4":
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith(("layer4", "fc"))
    if trainable_from == "head":
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith("fc")
    return cast(nn.Module, model)


def train(
    model: nn.Module, loader: Loader, criterion: nn.Module, optimizer: optim.Optimizer, most: int
) -> tuple[int, float]:
    """One epoch, or `most` steps of one; pictures seen, and the mean loss."""
    model.train()
    count, total = 0, 0.0
    for step, (inputs, labels) in enumerate(loader):
        if step == most:
            break
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        count += len(labels)
        total += loss.item() * len(labels)
    return count, total / count


@torch.no_grad()
def validate(model: nn.Module, loader: Loader, criterion: nn.Module) -> tuple[float, float]:
    """Mean loss and accuracy."""
    model.eval()
    loss, right, count = 0.0, 0, 0
    for inputs, labels in loader:
        scores = model(inputs)
        loss += criterion(scores, labels).item() * len(labels)
        right += int((scores.argmax(1) == labels).sum())
        count += len(labels)
    return loss / count, right / count


@torch.no_grad()
def right_of(model: nn.Module, loader: Loader) -> list[bool]:
    """Whether each picture is answered rightly, in order."""
    model.eval()
    return [one for inputs, labels in loader for one in (model(inputs).argmax(1) == labels).tolist()]


def _colours(arch: str) -> Colours:
    if arch == "resnet18":
        return IMAGENET
    import timm

    config: Any = timm.get_pretrained_cfg(arch)
    return config.mean, config.std


def main() -> None:
    """Train and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--trainable-from", default="stem", choices=("stem", "layer4", "head"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--most-steps", type=int, default=-1)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--test", action="store_true")
    options = parser.parse_args()
    start = time.perf_counter()
    torch.manual_seed(options.seed)
    pictures = (options.size, options.batch_size, options.workers, _colours(options.arch))
    train_loader, valid_loader = loaders(options.data, *pictures)
    classes = len(list((options.data / "train").iterdir()))
    model = network(classes, options.trainable_from, options.weights, options.arch)
    criterion = nn.CrossEntropyLoss()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = optim.SGD(trained, lr=options.learning_rate, momentum=0.9)
    epochs = []
    for _ in range(options.epochs):
        began = time.perf_counter()
        count, train_loss = train(model, train_loader, criterion, optimizer, options.most_steps)
        seconds = time.perf_counter() - began
        valid_loss, accuracy = (
            validate(model, valid_loader, criterion) if options.most_steps < 0 else (0.0, 0.0)
        )
        epochs.append(
            {
                "train_seconds": seconds,
                "epoch_seconds": time.perf_counter() - began,
                "images_per_second": count / seconds,
                "train_loss": train_loss,
                "valid_loss": valid_loss,
                "valid_accuracy": accuracy,
            }
        )
    result = {"seconds": time.perf_counter() - start, "epochs": epochs}
    if options.test:
        tested_at = time.perf_counter()
        result["right"] = right_of(model, unvaried(options.data / "test", *pictures))
        result["test_seconds"] = time.perf_counter() - tested_at
    print(json.dumps(result))


if __name__ == "__main__":
    main()
