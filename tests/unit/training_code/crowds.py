"""What a training of very many classes came to, made up: nothing is decoded and nothing trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from contract.pictures.transform import Transform
from tests.unit.training_code.samples import MACHINE
from training_code.config import parse
from training_code.data.dataset import Dataset
from training_code.data.decoded_images import DecodedImages, PictureDecoder
from training_code.data.picture_files import Files
from training_code.data.split import Split
from training_code.evaluation.scores import Evaluation
from training_code.job import Job
from training_code.output import artifact
from training_code.output.artifact import Facts
from training_code.training.progress import Epoch, Trained


class Blank(DecodedImages):
    """Images that are black."""

    def pick(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(pictures), 16, 16, 3, dtype=torch.uint8)


def crowd(
    classes: int, pictures: int, name: str = "class {:05}", right: float = 0.4, leaked: bool = False
) -> Facts:
    """The facts of a training with so many classes, and pictures in valid and in test, and a champion; where
    it is `leaked`, each split has the same pictures.
    """
    chance = torch.Generator().manual_seed(classes + pictures)
    names = tuple(name.format(number) for number in range(classes))
    transform = Transform.of_size(16)

    def split(kind: str) -> Split:
        labels = torch.arange(pictures) * classes // pictures
        files = tuple(f"{names[label]}/{number}.jpg" for number, label in enumerate(labels.tolist()))
        return Split(
            kind,
            Blank(PictureDecoder(transform), Files(Path(), {}), files),
            labels,
            files,
            kind[0] * 64,
            np.random.default_rng(0 if leaked else ord(kind[1])).bytes(32 * pictures),
            (),
        )

    def answers(labels: torch.Tensor) -> torch.Tensor:
        guessed = torch.randint(classes, (pictures,), generator=chance)
        return torch.where(torch.rand(pictures, generator=chance) < right, labels, guessed)

    dataset = Dataset(names, transform, split("train"), split("valid"), split("test"))
    evaluations = {
        each.name: Evaluation(
            1 / 3, each.labels, answers(each.labels), torch.rand(pictures, generator=chance), classes
        )
        for each in (dataset.valid, dataset.test)
    }
    before = answers(dataset.test.labels)
    stand_in: Any = nn.Linear(1, 1)
    stand_in.origin, stand_in.settings = {}, {"num_classes": 2}
    epoch = Epoch(1, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3)
    return Facts(
        job="p-job",
        config=parse({"run": "p-run", "dataset": "crowd"}),
        dataset=dataset,
        machine=MACHINE,
        trained=Trained(stand_in, (epoch,), epoch, None, stopped=False),
        evaluations=evaluations,
        serving={"form": "pytorch", "reason": "none was tried"},
        champion={
            "training_job": "p-old",
            "accuracy": int((before == dataset.test.labels).sum()) / pictures,
            "predicted": before.tolist(),
        },
        seconds=1 / 3,
        code_version="0" * 64,
        versions={"torch": "2"},
    )


def written(folder: Path, facts: Facts) -> Job:
    """The job that left them in `folder`; its network is a stand-in."""
    job = Job(folder, facts.job)
    artifact.write(job, facts)
    return job
