"""Training: epochs of steps, a look at the validation split after each, and the best epoch kept.

`train` resumes from a checkpoint if there is one, writes one after every epoch and when the job is told to
stop, and returns what was learned. Order, augmentation and learning rate depend on seed, epoch and step
alone, and a checkpoint carries all the rest, so an interrupted job ends with the numbers of one that ran
through.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from training_code.batches import Batches
from training_code.checkpoints import Checkpoint, Checkpoints
from training_code.config import OF_WATCHING, Config
from training_code.data import Dataset
from training_code.errors import TrainingDiverged
from training_code.evaluation import evaluate
from training_code.machine import cores, memory_explained
from training_code.observer import Observer
from training_code.optimizer import Optimizer, schedule
from training_code.progress import Epoch, Progress, Trained
from training_code.reporter import Reporter
from training_code.resnet import ResNet
from training_code.stopping import Stopped, StopSignal

_STEPS_BETWEEN_CHECKS_ON_GPU: Final = 20
"""Looking at a loss makes the GPU wait for the CPU; on a CPU it costs nothing."""


def identity(config: Config, dataset: Dataset) -> dict[str, object]:
    """What makes two trainings the same one: a checkpoint of one may only be resumed by the other.

    Who looks on changes nothing.
    """
    return {
        **{name: value for name, value in asdict(config).items() if name not in OF_WATCHING},
        "classes": list(dataset.classes),
        "train": dataset.train.fingerprint,
        "valid": dataset.valid.fingerprint,
    }


def train(
    network: ResNet,
    batches: Batches,
    valid: Batches,
    config: Config,
    checkpoints: Checkpoints,
    stop: StopSignal,
    observer: Observer | None = None,
) -> Trained:
    """Train the network as configured.

    Raises:
        TrainingDiverged: a loss is not finite.
        OutOfMemory: a step does not fit.
        UnusableCheckpoint: the checkpoint found is of another training.
        Stopped: the job was told to stop before the first epoch was done; its checkpoint is written.
    """
    observer = observer or Observer()
    training = _Training(network, batches, valid, config, checkpoints, stop, observer)
    training.resume()
    observer.training_begins(network, config, batches)
    stopped = False
    try:
        with memory_explained(config):
            training.run()
    except Stopped:
        stopped = True
        training.save()
        print(
            f"stopped at epoch {training.progress.epoch}, step {training.progress.step}"
            + ("" if checkpoints.folder else "; this job keeps no checkpoints"),
            flush=True,
        )
    best = training.progress.best_epoch
    if best is None:
        raise Stopped
    network.load_state_dict(training.best, strict=False)
    trained = Trained(network, tuple(training.progress.history), best, stopped)
    observer.training_ends(trained)
    return trained


class _Training:
    """The state of a training under way, and its steps."""

    def __init__(
        self,
        network: ResNet,
        batches: Batches,
        valid: Batches,
        config: Config,
        checkpoints: Checkpoints,
        stop: StopSignal,
        observer: Observer,
    ) -> None:
        self.observer = observer
        self.network, self.batches, self.valid = network, batches, valid
        self.config, self.checkpoints, self.stop = config, checkpoints, stop
        self.device = batches.machine.device
        self.optimizer = Optimizer(network, config)
        self.rate = schedule(config, batches.steps)
        self.losses = torch.zeros(batches.steps, device=self.device)
        self.best: dict[str, Tensor] = {}
        self.progress = Progress()
        self._clock = time.perf_counter()
        self._reporter = Reporter(config.epochs * batches.steps)

    def run(self) -> None:
        """All epochs from where training is."""
        while self.progress.epoch <= self.config.epochs:
            self._train_epoch()
            self._finish_epoch()
            self.save()

    def _train_epoch(self) -> None:
        self.network.train()
        while self.progress.step < self.batches.steps:
            self.stop.check()
            step = self.progress.step
            self.observer.step_begins(self.progress.epoch, step)
            self.observer.phase("data")
            pixels, labels = self.batches.training(self.progress.epoch, step)
            self.observer.phase("to_device")
            self._step(self.batches.input(pixels), self.batches.machine.put(labels))
            self.progress.step += 1
            self.observer.step_ends(self.losses[step])
            done = (self.progress.epoch - 1) * self.batches.steps + self.progress.step
            self._reporter.step(done, len(labels), self.losses[step])
        self._check_losses()

    def _step(self, pictures: Tensor, labels: Tensor) -> None:
        self.observer.phase("forward")
        with self.batches.machine.autocast():
            scores = self.network(pictures)
        loss = functional.cross_entropy(scores.float(), labels, label_smoothing=self.config.label_smoothing)
        self.observer.phase("backward")
        loss.backward()  # type: ignore[no-untyped-call]
        step = self.progress.step
        self.losses[step] = loss.detach()
        if self.device.type == "cpu" or step % _STEPS_BETWEEN_CHECKS_ON_GPU == 0:
            self._check_losses(step + 1)
        self.observer.phase("optimizer")
        self.optimizer.step(self.rate((self.progress.epoch - 1) * self.batches.steps + step))

    def _finish_epoch(self) -> None:
        """Validate, note the epoch, keep its weights if they are the best so far."""
        progress = self.progress
        result = evaluate(self.network, self.valid, self.network.fc.out_features, self.stop)
        if not math.isfinite(result.loss):
            raise TrainingDiverged(
                f"the validation loss is {result.loss} after epoch {progress.epoch}: {self._likely_cause()}"
            )
        weights = torch.tensor(self.batches.sizes, dtype=torch.float64)
        train_loss = float((self.losses.cpu().double() * weights).sum() / weights.sum())
        seconds = progress.seconds + self._lap()
        epoch = Epoch(
            epoch=progress.epoch,
            train_loss=train_loss,
            valid_loss=result.loss,
            valid_accuracy=result.accuracy,
            learning_rate=self.rate(progress.epoch * self.batches.steps - 1),
            seconds=seconds,
            images_per_second=len(self.batches.split) / seconds,
        )
        progress.history.append(epoch)
        if self._is_best(epoch):
            progress.best = epoch.epoch
            self.best = {name: value.clone() for name, value in self.network.trained_state().items()}
        progress.epoch, progress.step, progress.seconds = progress.epoch + 1, 0, 0.0
        self.losses.zero_()
        print(
            f"epoch={epoch.epoch} train_loss={epoch.train_loss:.6f} valid_loss={epoch.valid_loss:.6f} "
            f"valid_accuracy={epoch.valid_accuracy:.6f} "
            f"({epoch.seconds:.1f} s, {epoch.images_per_second:.0f} images/s)",
            flush=True,
        )
        self.observer.epoch_ends(epoch, result)

    def _is_best(self, epoch: Epoch) -> bool:
        """Better by the objective; equal accuracies, common in small splits, are told apart by the loss."""
        best = self.progress.best_epoch
        if best is None:
            return True
        if self.config.maximize:
            return (epoch.valid_accuracy, -epoch.valid_loss) > (best.valid_accuracy, -best.valid_loss)
        return epoch.valid_loss < best.valid_loss

    def save(self) -> None:
        """Write a checkpoint of this moment."""
        self.progress.seconds += self._lap()
        self.checkpoints.save(
            Checkpoint(
                tensors={
                    "network": self.network.trained_state(),
                    "optimizer": self.optimizer.state(),
                    "best": self.best,
                    "epoch": {"losses": self.losses},
                },
                note={"progress": asdict(self.progress), "threads": torch.get_num_threads()},
            )
        )

    def resume(self) -> None:
        """Go back to the latest checkpoint, if there is one."""
        checkpoint = self.checkpoints.latest()
        if checkpoint is None:
            return
        note = checkpoint.note["progress"]
        note["history"] = [Epoch(**epoch) for epoch in note["history"]]
        self.progress = Progress(**note)
        # Sums split among another number of threads round otherwise.
        torch.set_num_threads(min(checkpoint.note["threads"], cores()))
        self.network.load_state_dict(checkpoint.tensors["network"], strict=False)
        self.optimizer.restore(checkpoint.tensors["optimizer"])
        self.best = checkpoint.tensors.get("best", {})
        self.losses.copy_(checkpoint.tensors["epoch"]["losses"])
        done = (self.progress.epoch - 1) * self.batches.steps + self.progress.step
        self._reporter = Reporter(self.config.epochs * self.batches.steps, done)
        print(f"resumed at epoch {self.progress.epoch}, step {self.progress.step}", flush=True)

    def _lap(self) -> float:
        """Seconds since this was last asked."""
        now = time.perf_counter()
        seconds, self._clock = now - self._clock, now
        return seconds

    def _check_losses(self, steps: int | None = None) -> None:
        finite = torch.isfinite(self.losses[:steps])
        if bool(finite.all()):
            return
        step = int((~finite).nonzero()[0])
        raise TrainingDiverged(
            f"the loss became {float(self.losses[step])} at step {step + 1} of epoch {self.progress.epoch}: "
            f"{self._likely_cause(step)}"
        )

    def _likely_cause(self, step: int | None = None) -> str:
        at = (self.progress.epoch - 1) * self.batches.steps + (
            self.batches.steps - 1 if step is None else step
        )
        rate = self.rate(at)
        if self.config.optimizer == "adamw" and self.config.eps < 1e-12:
            return f"most likely eps={self.config.eps:g} is too small; 1e-8 is usual"
        return (
            f"most likely the learning rate ({rate:.3g} at that step) is too high; "
            f"try learning_rate={self.config.learning_rate / 10:.3g}, or a longer warm-up"
        )
