"""The callback that saves what the rules look at, every few steps, as an smdebug folder.

Saved are vectors over the trained tensors, whose names are in names.json, the activity of every ReLU's
channels, and the loss since the last save. The first save also has how weights and labels are distributed,
the last of each epoch the validation's result. A disk that fills up ends the debugging and not the
training: early enough that a checkpoint and the model still fit.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from contract.jobs import TENSORS
from training_code.config import Config
from training_code.data.batches import Batches
from training_code.debugging import reductions
from training_code.debugging.settings import DebugSettings
from training_code.debugging.smdebug_adapter import StepWriter, array
from training_code.evaluation.scores import Evaluation
from training_code.network.network import Network
from training_code.training.callback import Callback
from training_code.training.progress import Epoch

NAMES: Final = "names.json"
_COLLECTIONS: Final = {
    "losses": "loss",
    "gradients": "^gradient/",
    "weights": "^(weight|update)/",
    "relu_activations": "^relu/",
    "validation": "^valid/",
}
MOST_BYTES: Final = 2 * 2**30
MOST_SAVES: Final = 20_000
"""Of all that is saved, a save being two files: register-model searches the job's output for the evaluation,
and must get to its end.
"""
_LEFT_FREE: Final = 16 * 2**20
_LEFT_FREE_FACTOR: Final = 8
"""Bytes left on the disk, and how many times the network's besides: a checkpoint holds it three times and is
written beside the one before, the model holds it twice.
"""


class Capture(Callback):
    """Saves into `folder`/tensors."""

    def __init__(self, folder: Path, settings: DebugSettings, classes: Sequence[str]) -> None:
        self._folder, self._settings, self._classes = folder, settings, classes
        self._every = 1
        self._steps = 1
        self._step = -1
        self._probing, self._looks = 0, True
        self._saving = False
        self._handles: list[RemovableHandle] = []
        self._relus: dict[str, list[tuple[Tensor, int]]] = {}
        self._met: Counter[str] = Counter()
        self._snapshot: dict[str, Any] = {}
        self._previous: NDArray[np.float32] | None = None
        self._losses = 0
        self._hook: StepWriter | None = None
        self._parameters: dict[str, nn.Parameter] = {}
        self._pending: dict[str, NDArray[Any]] = {}
        self._bytes = self._saves = 0

    def training_begins(self, network: Network, config: Config, batches: Batches) -> None:
        self._network: nn.Module = network
        self._steps = batches.steps
        self._probing = config.probing
        self._every = self._settings.saves_every(config.epochs * batches.steps)
        self._parameters = {name: each for name, each in network.named_parameters() if each.requires_grad}
        self._sampler = reductions.Sampler(list(self._parameters.values()))
        self._loss_sum = torch.zeros((), device=next(iter(self._parameters.values())).device)
        self._guarded(lambda: self._open(network, config, batches))

    def _open(self, network: Network, config: Config, batches: Batches) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        size = sum(each.numel() * each.element_size() for each in network.state_dict().values())
        self._least_free = _LEFT_FREE + _LEFT_FREE_FACTOR * size
        self._look_for_room()
        self._hook = StepWriter(self._folder / TENSORS, _COLLECTIONS)
        weights = reductions.weights_of(network)
        groups = reductions.groups_of(network)
        labels = batches.split.labels
        self._pending = {
            "weight/spread": _numpy(reductions.spread(weights)),
            "weight/he": array(
                [reductions.he_deviation(value, groups.get(name, 1)) for name, value in weights]
            ),
            "labels/count": np.bincount(labels.numpy()).astype(np.int64),
        }
        self._names: dict[str, Any] = {
            "parameters": list(self._parameters),
            "weights": [name for name, _ in weights],
            "is_weight": [name in dict(weights) for name in self._parameters],
            "relus": [],
            "steps_per_epoch": self._steps,
            "epochs": config.epochs,
            "every": self._every,
            "classes": network.classes,
            "class_names": list(self._classes),
            "label_smoothing": config.label_smoothing,
        }
        self._write_names()

    def step_begins(self, epoch: int, step: int) -> None:
        self._step = (epoch - 1) * self._steps + step
        ends_epoch = step == self._steps - 1
        # What trains the head alone leaves the other gradients at nothing, which is no finding.
        self._looks = epoch > self._probing
        is_due = self._step % self._every == 0 or ends_epoch
        self._saving = self._hook is not None and self._looks and is_due
        if self._saving:
            self._watch_relus()

    def phase(self, name: str) -> None:
        if not self._saving:
            return
        if name == "forward":
            self._met.clear()
        elif name == "optimizer":
            self._forget_relus()
            self._keep()

    def _keep(self) -> None:
        """Look at the gradients, and remember the weights, before the optimiser has both."""
        self._snapshot = {
            "gradient": self._gradients(),
            "before": self._sampler.sample(),
        }
        if self._settings.raw and self._step % self._every == 0:  # not at the end of each epoch besides
            self._snapshot["raw"] = {
                name: each.grad.clone() for name, each in self._parameters.items() if each.grad is not None
            }

    def _gradients(self) -> Tensor:
        """The root mean square of each trained parameter's gradient, zero where there is none: (n,)."""
        parameters = self._parameters.values()
        return reductions.root_mean_squares(
            [each.new_zeros(1) if each.grad is None else each.grad for each in parameters]
        )

    def step_ends(self, loss: Tensor) -> None:
        if not self._looks:
            return
        self._loss_sum += loss.detach()
        self._losses += 1
        if not self._saving:
            return
        self._pending.update(self._reduced())
        self._loss_sum.zero_()
        self._losses = 0
        if (self._step + 1) % self._steps:
            self._write()  # an epoch's last step waits for the validation

    @torch.no_grad()
    def _reduced(self) -> dict[str, NDArray[Any]]:
        """The reductions of this step, moved to the CPU together."""
        vectors = {
            "loss": (self._loss_sum / max(1, self._losses)).reshape(1),
            "gradient/rms": self._snapshot["gradient"],
            "weight/rms": reductions.root_mean_squares(list(self._parameters.values())),
            "before": self._snapshot["before"],
            "after": self._sampler.sample(),
        }
        together = _numpy(torch.cat([each.float() for each in vectors.values()]))
        sizes = [len(each) for each in vectors.values()]
        result = dict(zip(vectors, np.split(together, np.cumsum(sizes)[:-1]), strict=True))
        before, after = result.pop("before"), result.pop("after")
        result["update/ratio"] = self._sampler.update_ratios(before, after)
        if self._previous is not None:
            change = self._sampler.largest_changes(self._previous, after, rtol=1e-5, atol=1e-8)
            result["weight/change"] = change
        self._previous = after
        result |= self._activity()
        for name, gradient in self._snapshot.get("raw", {}).items():
            result[f"gradient/{name}"] = _numpy(gradient)
            result[f"weight/{name}"] = _numpy(self._parameters[name])
        self._snapshot = {}
        return result

    def _activity(self) -> dict[str, NDArray[Any]]:
        """How active each channel of each ReLU was: a row per ReLU, filled up with nan."""
        if not self._relus:
            return {}
        if list(self._relus) != self._names["relus"]:
            self._names["relus"] = list(self._relus)
            self._guarded(self._write_names)
        active = [_numpy(_mean(pieces)) for pieces in self._relus.values()]
        table = np.full((len(active), max(map(len, active))), np.nan, dtype=np.float32)
        for row, each in enumerate(active):
            table[row, : len(each)] = each
        self._relus = {}
        return {"relu/activity": table}

    def epoch_ends(self, epoch: Epoch, validation: Evaluation) -> None:
        self._pending |= {
            "train/loss": array(epoch.train_loss),
            "valid/loss": array(epoch.valid_loss),
            "valid/accuracy": array(epoch.valid_accuracy),
            "valid/confusion_cells": validation.confusion().numpy().astype(np.int32),
        }
        self._write()

    def end(self) -> None:
        """Training is over, however it ended: look once more at a network whose loss broke, and close."""
        self._forget_relus()
        if any(each.grad is not None for each in self._parameters.values()):
            # Gradients that no optimiser took: the step was broken off, most often by a loss of nan.
            self._pending["gradient/rms"] = _numpy(self._gradients())
        if self._pending:
            self._write()
        if self._hook is not None:
            self._guarded(self._hook.end)

    def _write(self) -> None:
        hook, pending = self._hook, self._pending
        self._pending = {}
        if hook is None or not pending:
            return

        def save() -> None:
            self._look_for_room()
            self._count(pending)
            hook.save_step(self._step, pending)

        self._guarded(save)

    def _look_for_room(self) -> None:
        """Raises OSError when what comes after the training would no longer fit on the disk."""
        free, least = shutil.disk_usage(self._folder).free, self._least_free
        if free < least:
            raise OSError(
                errno.ENOSPC,
                f"{free // 2**20} MiB are left on the disk, {least // 2**20} are for checkpoint and model",
            )

    def _count(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Raises OSError when this save would make the job's output larger than its reader takes."""
        self._bytes += sum(each.nbytes for each in tensors.values())
        self._saves += 1
        if self._bytes > MOST_BYTES or self._saves > MOST_SAVES:
            raise OSError(
                errno.EFBIG,
                f"{self._saves} saves of {self._bytes // 2**20} MiB in all are more than a job's output may "
                f"have, {MOST_SAVES} and {MOST_BYTES // 2**20} MiB; choose a larger debug_every",
            )

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do it, or go on without debugging."""
        try:
            work()
        except Exception as error:  # smdebug wraps what the disk says in errors of its own
            self._hook, self._pending = None, {}
            print(f"warning: debugging stops here, training goes on: {error}", flush=True)

    def _write_names(self) -> None:
        (self._folder / NAMES).write_text(json.dumps(self._names), encoding="utf-8")

    def _watch_relus(self) -> None:
        """For this step, look at what every ReLU puts out; one used twice is seen twice, of each piece."""

        def look(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
            def after(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
                use = f"{name}#{self._met[name]}"
                self._met[name] += 1
                self._relus.setdefault(use, []).append((reductions.activity(output), len(output)))

            return after

        for name, module in self._network.named_modules():
            if isinstance(module, nn.ReLU) and module.training:
                self._handles.append(module.register_forward_hook(look(name)))

    def _forget_relus(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []


def _mean(pieces: Sequence[tuple[Tensor, int]]) -> Tensor:
    """Of vectors that each are the mean of so many."""
    vectors, counts = zip(*pieces, strict=True)
    return torch.einsum("pc,p->c", torch.stack(vectors), vectors[0].new_tensor(counts) / sum(counts))


def _numpy(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().float().cpu().numpy()
