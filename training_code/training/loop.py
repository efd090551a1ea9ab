"""Training: epochs of steps, a look at the validation split after each, and the best epoch kept.

Order, augmentation and learning rate depend on seed, epoch and step alone, and a checkpoint carries all the
rest, so an interrupted job ends with the numbers of one that ran through.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import Final

import torch
from torch import Tensor

from contract import epoch_line
from training_code.config import OF_NO_NUMBER, Config
from training_code.data.batches import Batches
from training_code.data.dataset import Dataset
from training_code.distributed import batch_norm
from training_code.errors import TrainingDiverged
from training_code.evaluation.scores import Evaluation, evaluate
from training_code.hardware.cores import cores
from training_code.network.network import Network
from training_code.stopping import Stopped, StopSignal
from training_code.training import head_start
from training_code.training.average import Average
from training_code.training.callback import Callback
from training_code.training.checkpoints import Checkpoint, Checkpoints
from training_code.training.loss import Loss, likely_cause, mixed
from training_code.training.optimizer import schedule
from training_code.training.parts import Parts
from training_code.training.progress import Epoch, Progress, Reporter, Trained

_STEPS_BETWEEN_CHECKS_ON_GPU: Final = 20
"""Looking at a loss makes the GPU wait for the CPU; on a CPU it costs nothing."""


def identity(config: Config, dataset: Dataset) -> dict[str, object]:
    """What makes two trainings the same one: a checkpoint of one may only be resumed by the other."""
    return {
        **{key: value for key, value in asdict(config).items() if key not in OF_NO_NUMBER},
        "classes": list(dataset.classes),
        "train": dataset.train.fingerprint,
        "valid": dataset.valid.fingerprint,
    }


def train(
    network: Network,
    batches: Batches,
    valid: Batches,
    config: Config,
    checkpoints: Checkpoints,
    stop: StopSignal,
    callback: Callback | None = None,
) -> Trained:
    """Train the network as configured.

    Raises:
        TrainingDiverged: a loss is not finite.
        UnusableCheckpoint: the checkpoint found is of another training.
        Stopped: the job was told to stop before the first epoch was done; its checkpoint is written.
    """
    callback = callback or Callback()
    checkpoint = checkpoints.latest()
    if checkpoint is None:
        head_start.begin(network, batches, stop)
    training = _Training(network, batches, valid, config, checkpoints, stop, callback)
    training.resume(checkpoint)
    training.begin()
    stopped = False
    try:
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
    training.parts.freeze()
    if best is None:
        raise Stopped
    network.load_state_dict(training.best, strict=False)
    trained = Trained(network, tuple(training.progress.history), best, training.best_validated, stopped)
    callback.training_ends(trained)
    return trained


class _Training:
    """The state of a training under way, and its steps."""

    def __init__(
        self,
        network: Network,
        batches: Batches,
        valid: Batches,
        config: Config,
        checkpoints: Checkpoints,
        stop: StopSignal,
        callback: Callback,
    ) -> None:
        self.network, self.batches, self.callback = network, batches, callback
        self.config, self.checkpoints, self.stop = config, checkpoints, stop
        self.device, self.group = batches.machine.device, batches.group
        if self.group.size > 1:
            batch_norm.synchronise(network)
        self.parts = Parts(network, batches, valid, config)
        self.rate = schedule(config, batches.steps)
        self.loss = Loss(config, batches.split.labels, network.classes, self.device)
        self.losses = torch.zeros(batches.steps, device=self.device)
        self.average = Average(self.parts.state(), config.ema_decay)
        self.best: dict[str, Tensor] = {}
        self.best_validated: Evaluation | None = None
        self.progress = Progress()
        self._clock = self._saved = time.perf_counter()
        self._reporter = Reporter(config.epochs * batches.steps)
        self._ended_by_callback = False

    def begin(self) -> None:
        """Tell the callback of the whole training, also where a probe comes first."""
        self.parts.freeze()
        self.callback.training_begins(self.network, self.config, self.batches)
        self.parts.freeze(self.progress.epoch)

    def run(self) -> None:
        """All epochs from where training is, or until they no longer help."""
        self.parts.feed(self.progress.epoch, self.stop)
        while self.progress.epoch <= self.config.epochs and not self.progress.out_of_patience(self.config):
            self._train_epoch()
            self._finish_epoch()
            self.save()

    def _train_epoch(self) -> None:
        self.network.train()
        epoch = self.progress.epoch
        feed = self.parts.batches.epoch(epoch, self.progress.step)
        for step in range(self.progress.step, self.batches.steps):
            self._stop_together()
            self.callback.step_begins(epoch, step)
            self.callback.phase("data")
            examples, labels = next(feed)
            self.callback.phase("to_device")
            self._step(self.parts.batches.input(examples), self.batches.machine.put(labels))
            self.progress.step += 1
            done = (epoch - 1) * self.batches.steps + self.progress.step
            self._reporter.step(done, len(labels), self.losses[step])
            self._tell_step_ended(self.losses[step])
            self._save_now_and_then()
        self._check_losses()

    def _step(self, pictures: Tensor, labels: Tensor) -> None:
        step = self.progress.step
        share = self.loss.share(self.progress.epoch, step)
        whole = self.group.all_reduce(self.loss.weight(labels))
        pictures, others = mixed(pictures, labels, share)
        total = torch.zeros((), device=self.device)
        for piece in self.parts.batches.pieces(self.network, pictures):
            self.callback.phase("forward")
            with self.batches.machine.autocast():
                scores = self.parts.stepped(
                    pictures[piece], from_freeze_point=self.parts.batches.from_freeze_point
                )
            loss = self.loss(scores, labels[piece], others[piece], share)
            self.callback.phase("backward")
            # The mean over all processes' pictures; their gradients are averaged, hence the factor.
            (loss * (self.group.size / whole)).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        self.losses[step] = self.group.all_reduce(total) / whole
        if self.device.type == "cpu" or step % _STEPS_BETWEEN_CHECKS_ON_GPU == 0:
            self._check_losses(step + 1)
        self.callback.phase("optimizer")
        done = (self.progress.epoch - 1) * self.batches.steps + step
        self.parts.optimizer.step(self.rate(done))
        self.average.follow(done)

    def _finish_epoch(self) -> None:
        """Validate, note the epoch, keep its weights if they are the best so far."""
        progress = self.progress
        with self.average.in_place():
            result = evaluate(self.network, self.parts.valid, self.network.classes, self.stop)
            epoch = self._epoch_of(result)
            if progress.is_best(epoch, self.config):
                progress.best, self.best_validated = epoch.epoch, result
                self.best = {name: value.clone() for name, value in self.parts.state().items()}
        progress.history.append(epoch)
        progress.epoch, progress.step, progress.seconds = progress.epoch + 1, 0, 0.0
        self.losses.zero_()
        print(epoch_line.write(asdict(epoch)), flush=True)
        self.callback.epoch_ends(epoch, result)
        if self.parts.begins_with(progress.epoch):
            self.parts.begin(progress.epoch)

    def _epoch_of(self, result: Evaluation) -> Epoch:
        """What the epoch under way came to, with this validation."""
        progress = self.progress
        if not math.isfinite(result.loss):
            raise TrainingDiverged(
                f"the validation loss is {result.loss} after epoch {progress.epoch}: {self._likely_cause()}"
            )
        weights = torch.tensor(self.batches.sizes, dtype=torch.float64)
        train_loss = float((self.losses.cpu().double() * weights).sum() / weights.sum())
        seconds = progress.seconds + self._lap()
        return Epoch(
            epoch=progress.epoch,
            train_loss=train_loss,
            valid_loss=result.loss,
            valid_accuracy=result.accuracy,
            learning_rate=self.rate(progress.epoch * self.batches.steps - 1),
            seconds=seconds,
            images_per_second=len(self.batches.split) / seconds,
        )

    def _tell_step_ended(self, loss: Tensor) -> None:
        """Alone, a callback's wish to stop is followed at once; several processes agree before a step."""
        try:
            self.callback.step_ends(loss)
        except Stopped:
            if self.group.size == 1:
                raise
            self._ended_by_callback = True

    def _stop_together(self) -> None:
        """Alone, look at the signal; several processes agree, so that all stop before the same step."""
        if self.group.size == 1:
            self.stop.check()
        elif self.group.any(self.stop.came or self._ended_by_callback):
            raise Stopped

    def _save_now_and_then(self) -> None:
        """So that a job which is killed, without a signal to save at, loses minutes of a long epoch."""
        seconds = self.config.checkpoint_minutes * 60
        if seconds and time.perf_counter() - self._saved >= seconds:
            self.save()

    def save(self) -> None:
        """Write a checkpoint of this moment."""
        self.progress.seconds += self._lap()
        self._saved = time.perf_counter()
        if not self.group.is_main:
            return
        self.checkpoints.save(
            Checkpoint(
                tensors={
                    "network": self.parts.state(),
                    "optimizer": self.parts.optimizer.state(),
                    "best": self.best,
                    "epoch": {"losses": self.losses},
                    **self.average.state(),
                },
                note={"progress": asdict(self.progress), "threads": torch.get_num_threads()},
            )
        )

    def resume(self, checkpoint: Checkpoint | None) -> None:
        """Go back to the latest checkpoint, if there is one."""
        if checkpoint is None:
            return
        note = checkpoint.note["progress"]
        note["history"] = [Epoch(**epoch) for epoch in note["history"]]
        self.progress = Progress(**note)
        # Sums split among another number of threads round otherwise.
        torch.set_num_threads(min(checkpoint.note["threads"], cores()))
        self.network.load_state_dict(checkpoint.tensors["network"], strict=False)
        if self.progress.epoch > self.config.probing > 0:
            self.parts.begin(self.progress.epoch)
        self.parts.optimizer.restore(checkpoint.tensors["optimizer"])
        self.average.restore(checkpoint.tensors)
        best = checkpoint.tensors.get("best", {})
        self.best = {name: value.to(self.device) for name, value in best.items()}
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
        last = self.batches.steps - 1 if step is None else step
        return likely_cause(self.config, self.rate((self.progress.epoch - 1) * self.batches.steps + last))
