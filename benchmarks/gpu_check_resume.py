"""A training taken up from a checkpoint against one in one piece; used by `benchmarks.gpu_check`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from training_code.config import parse
from training_code.data.batches import of_dataset
from training_code.data.dataset import find, load
from training_code.data.feature_cache import FeatureCache
from training_code.distributed.process_group import ALONE
from training_code.hardware.cores import cores
from training_code.hardware.machine import Machine
from training_code.job import Job
from training_code.network import model
from training_code.stopping import Stopped, StopSignal
from training_code.training import loop
from training_code.training.callback import Callback
from training_code.training.checkpoints import Checkpoints

_EPOCHS: Final = 2


class _StopsAt(Callback):
    """Stops the training after so many steps, as SIGTERM would."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step_ends(self, loss: Tensor) -> None:
        self._left -= 1
        if self._left == 0:
            raise Stopped


def main(folder: Path, scratch: Path, scale: dict[str, Any]) -> None:
    """Print one JSON line: the largest difference of any weight between two trainings in one piece, and
    between one of them and the one that was stopped.
    """
    config = parse(
        {
            "arch": scale["arch"],
            "image_size": str(scale["image_size"]),
            "batch_size": str(scale["batch_size"]),
            "epochs": str(_EPOCHS),
            "optimizer": "adamw",
            "learning_rate": "0.001",
            "weight_decay": "0.05",
            "augment": "flip",
        }
    )
    machine = Machine.prepare(cores(), config)
    found = find({split: folder / split for split in ("train", "valid", "test")}, config)
    dataset = load(found, config, StopSignal())

    def trained(checkpoints: Checkpoints, callback: Callback | None = None) -> dict[str, Tensor]:
        network = model.build(config, len(found.classes), folder, machine)
        cache = FeatureCache.of(network, config, machine, ALONE, Job(folder / "no job", "check"))
        train, valid, _ = of_dataset(dataset, config, machine, ALONE, cache, StopSignal())
        training = loop._Training(
            network, train, valid, config, checkpoints, StopSignal(), callback or Callback()
        )
        training.resume(checkpoints.latest())
        try:
            training.run()
        except Stopped:
            training.save()
        return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}

    none = Checkpoints(None, {})
    first, second = trained(none), trained(none)
    steps = max(1, len(dataset.train) // config.batch_size)
    at = steps + steps // 2  # AdamW's means are far from zero, and the epoch is not over
    kept = Checkpoints(scratch, loop.identity(config, dataset))
    halfway = trained(kept, _StopsAt(at))
    resumed = trained(kept)
    facts = {
        "stopped_at": at,
        "straight_twice": difference(first, second),
        "resumed": difference(first, resumed),
        "halfway": difference(first, halfway),
    }
    print(json.dumps(facts))


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest between any two numbers."""
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
