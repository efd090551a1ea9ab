"""Who looks on sees every step in its order, and can end the training."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor

from tests.unit.training_code.samples import numbers, train
from training_code.config import Config
from training_code.data.batches import Batches
from training_code.evaluation.scores import Evaluation
from training_code.network.resnet import ResNet
from training_code.stopping import Stopped
from training_code.training.callback import PHASES, Callback, Callbacks
from training_code.training.progress import Epoch, Trained


class Diary(Callback):
    """Writes down what it was told."""

    def __init__(self, stop_after_epoch: int = 0) -> None:
        self.told: list[str] = []
        self.gradients = 0
        self._stop_after_epoch = stop_after_epoch

    def training_begins(self, network: ResNet, config: Config, batches: Batches) -> None:
        self.network = network
        self.told.append(f"begins {config.epochs}x{batches.steps}")

    def step_begins(self, epoch: int, step: int) -> None:
        self.told.append(f"step {epoch}.{step}")

    def phase(self, name: str) -> None:
        self.told.append(name)
        if name == "optimizer":
            self.gradients += self.network.fc.weight.grad is not None

    def step_ends(self, loss: Tensor) -> None:
        assert loss.shape == ()
        assert self.network.fc.weight.grad is None
        self.told.append("step ends")

    def epoch_ends(self, epoch: Epoch, validation: Evaluation) -> None:
        assert validation.accuracy == epoch.valid_accuracy
        self.told.append(f"epoch {epoch.epoch}")
        if epoch.epoch == self._stop_after_epoch:
            raise Stopped

    def training_ends(self, trained: Trained) -> None:
        self.told.append(f"ends {len(trained.history)}")


def test_every_step_is_told_in_order_with_its_gradients(pictures: Path) -> None:
    first, second = Diary(), Diary()
    train(pictures, None, callback=Callbacks([first, second]), trainable_from="fc")
    step = [*PHASES, "step ends"]
    expected = ["begins 2x3"]
    for epoch in (1, 2):
        for number in range(3):
            expected += [f"step {epoch}.{number}", *step]
        expected.append(f"epoch {epoch}")
    assert first.told == second.told == [*expected, "ends 2"]
    assert first.gradients == 6


def test_an_observer_can_end_the_training_and_the_checkpoint_goes_on_from_there(
    pictures: Path, tmp_path: Path
) -> None:
    diary = Diary(stop_after_epoch=1)
    stopped = train(pictures, tmp_path, callback=diary, trainable_from="fc")
    assert stopped.stopped
    assert diary.told[-1] == "ends 1"
    resumed = train(pictures, tmp_path, trainable_from="fc")
    assert numbers(resumed) == numbers(train(pictures, None, trainable_from="fc"))


@pytest.mark.parametrize("callback", [None, Diary()])
def test_looking_on_changes_no_number(pictures: Path, callback: Callback | None) -> None:
    assert numbers(train(pictures, None, callback=callback, trainable_from="fc"))[1] == pytest.approx(
        numbers(train(pictures, None, trainable_from="fc"))[1], abs=0
    )
