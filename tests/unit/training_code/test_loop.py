"""Training learns, repeats itself, and goes on where it was interrupted with the same numbers."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch.nn import functional

from contract.pictures.transform import Transform
from tests.unit.training_code.samples import MACHINE, TINY, load, numbers, train
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.errors import OutOfMemory, TrainingDiverged, UnusableCheckpoint
from training_code.evaluation import scores as evaluation
from training_code.evaluation.scores import Evaluation
from training_code.hardware import machine
from training_code.hardware.memory import memory_explained
from training_code.network.resnet import resnet
from training_code.stopping import Stopped, StopSignal
from training_code.training import loop
from training_code.training.callback import Callback
from training_code.training.checkpoints import Checkpoint, Checkpoints
from training_code.training.loss import Loss, balanced, mixed
from training_code.training.progress import Trained


class StopAfter(StopSignal):
    """Comes at the `count`-th look."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Stopped


@pytest.fixture(scope="module")
def whole(pictures: Path) -> Trained:
    """A training that ran through; 3 steps and 1 look at the validation split per epoch."""
    torch.set_num_threads(1)
    return train(pictures, None)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(pictures: Path, whole: Trained) -> None:
    again = train(pictures, None)
    assert numbers(again) == numbers(whole)
    assert torch.equal(again.network.fc.weight, whole.network.fc.weight)
    assert numbers(train(pictures, None, seed="1")) != numbers(whole)


@pytest.mark.parametrize("looks", range(1, 8))
def test_a_training_stopped_anywhere_and_resumed_ends_with_the_same_numbers(
    pictures: Path, whole: Trained, tmp_path: Path, looks: int
) -> None:
    try:
        first = train(pictures, tmp_path, StopAfter(looks))
        assert first.stopped
        assert len(first.history) == 1
    except Stopped:
        assert looks < 4, "an epoch was done, so there is a model to keep"
    resumed = train(pictures, tmp_path)
    assert numbers(resumed) == numbers(whole)
    assert resumed.best.epoch == whole.best.epoch
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_a_resumed_training_does_not_repeat_the_steps_that_were_done(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Stopped):
        train(pictures, tmp_path, StopAfter(2))
    train(pictures, tmp_path)
    assert "resumed at epoch 1, step 2" in capsys.readouterr().out


class Crash(Callback):
    """Ends the program in the middle of the second epoch, with no time to save anything."""

    def step_begins(self, epoch: int, step: int) -> None:
        if (epoch, step) == (2, 2):
            raise SystemError


@pytest.mark.parametrize(("minutes", "kept"), [("1e-9", "epoch 2, step 2"), ("5", "epoch 2, step 0")])
def test_a_crash_costs_no_more_than_was_trained_since_the_last_checkpoint(
    pictures: Path,
    whole: Trained,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    minutes: str,
    kept: str,
) -> None:
    with pytest.raises(SystemError):
        train(pictures, tmp_path, callback=Crash(), checkpoint_minutes=minutes)
    resumed = train(pictures, tmp_path)
    assert f"resumed at {kept}" in capsys.readouterr().out
    assert numbers(resumed) == numbers(whole)
    assert torch.equal(resumed.network.fc.weight, whole.network.fc.weight)


class Kept(Checkpoints):
    """A folder's checkpoints that are written nowhere but into `held`."""

    held: ClassVar[list[Checkpoint]] = []

    def save(self, checkpoint: Checkpoint) -> None:
        self.held.append(checkpoint)


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_all_that_a_checkpoint_restores_lies_on_the_device_that_trains(
    pictures: Path, tmp_path: Path, kind: str
) -> None:
    """Shown with parameters on a device that is not the CPU: a fused step refuses a mixture, on a GPU."""
    hyperparameters = TINY | {"optimizer": kind, "class_weights": "balanced"}
    train(pictures, tmp_path, StopAfter(6), **hyperparameters)
    config = parse(hyperparameters)
    dataset = load(pictures, config)
    there = dataclasses.replace(MACHINE, device=torch.device("meta"))
    network = resnet(config.arch, len(dataset.classes))
    there.place(network)
    transform = Transform.of_size(config.image_size)
    feeds = [Batches(split, transform, config, there) for split in (dataset.train, dataset.valid)]
    kept = Kept(tmp_path, loop.identity(config, dataset))
    training = loop._Training(network, *feeds, config, kept, StopSignal(), Callback())
    training.resume(kept.latest())
    assert (training.progress.epoch, training.progress.step) == (2, 2)
    training.save()
    groups = Kept.held.pop().tensors
    assert set(groups) == {"network", "optimizer", "best", "epoch"}
    places = {f"{group}/{name}": str(each.device) for group in groups for name, each in groups[group].items()}
    assert places == dict.fromkeys(places, "meta")


def test_only_what_is_trained_is_checkpointed_and_it_resumes_too(pictures: Path, tmp_path: Path) -> None:
    expected = train(pictures, None, trainable_from="fc", optimizer="adamw")
    with pytest.raises(Stopped):
        train(pictures, tmp_path, StopAfter(2), trainable_from="fc", optimizer="adamw")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 100_000
    assert numbers(train(pictures, tmp_path, trainable_from="fc", optimizer="adamw")) == numbers(expected)


def test_a_checkpoint_of_another_training_is_refused_by_what_differs(pictures: Path, tmp_path: Path) -> None:
    train(pictures, tmp_path, trainable_from="fc")
    with pytest.raises(UnusableCheckpoint, match=r"it differs in epochs, seed"):
        train(pictures, tmp_path, trainable_from="fc", epochs="3", seed="9")


def test_a_finished_training_that_is_started_again_trains_nothing_more(
    pictures: Path, tmp_path: Path
) -> None:
    first = train(pictures, tmp_path, trainable_from="fc")
    again = train(pictures, tmp_path, StopAfter(0), trainable_from="fc")
    assert not again.stopped
    assert torch.equal(first.network.fc.weight, again.network.fc.weight)


def _judged(monkeypatch: pytest.MonkeyPatch, *losses: float) -> None:
    """Let the epochs of the next training have these validation losses, and one accuracy."""
    told = iter(losses)

    def evaluate(*arguments: Any) -> Evaluation:
        result = evaluation.evaluate(*arguments)
        return dataclasses.replace(result, loss=next(told), predicted=torch.zeros_like(result.predicted))

    monkeypatch.setattr(loop, "evaluate", evaluate)


@pytest.mark.parametrize("objective", ["valid_accuracy", "valid_loss"])
def test_the_network_returned_is_that_of_the_best_epoch(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, objective: str
) -> None:
    _judged(monkeypatch, 3.0, 1.0, 2.0)
    trained = train(pictures, None, epochs="3", objective=objective, schedule="constant")
    assert trained.best.epoch == 2
    assert trained.validated is not None
    assert trained.validated.loss == 1.0
    _judged(monkeypatch, 2.0, 1.0)
    shorter = train(pictures, None, StopAfter(8), epochs="3", objective=objective, schedule="constant")
    assert [shorter.best.epoch, len(shorter.history)] == [2, 2]
    assert torch.equal(trained.network.fc.weight, shorter.network.fc.weight)


def test_the_best_epoch_survives_an_interruption(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _judged(monkeypatch, 1.0, 2.0, 1.0, 2.0)
    whole = train(pictures, None)
    assert whole.best.epoch == 1
    assert train(pictures, tmp_path, StopAfter(5)).stopped
    resumed = train(pictures, tmp_path)
    assert resumed.best.epoch == 1
    assert resumed.validated is None, "what the best epoch answered was not kept"
    assert torch.equal(resumed.network.fc.weight, whole.network.fc.weight)


def test_training_ends_early_when_patience_does_and_a_resumed_one_stays_ended(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _judged(monkeypatch, 2.0, 1.0, 3.0, 3.0, 0.5)
    trained = train(pictures, tmp_path, trainable_from="fc", epochs="9", patience="2")
    assert (len(trained.history), trained.best.epoch, trained.stopped) == (4, 2, False)
    assert "no better valid_accuracy since epoch 2, 2 epochs ago" in capsys.readouterr().out
    again = train(pictures, tmp_path, trainable_from="fc", epochs="9", patience="2")
    assert len(again.history) == 4


def test_rare_classes_count_more_when_asked_for(pictures: Path) -> None:
    labels = torch.tensor([0, 0, 0, 1])
    weights = balanced(labels, 2)
    assert torch.allclose(weights[labels].mean(), torch.tensor(1.0))
    assert weights[1] == 3 * weights[0]
    scores = torch.randn(4, 2)
    for asked, expected in (("balanced", weights), ("none", None)):
        loss = Loss(parse({"class_weights": asked}), labels, 2, MACHINE.device)
        mean = loss(scores, labels, labels) / loss.weight(labels)
        assert torch.allclose(mean, functional.cross_entropy(scores, labels, expected))


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_the_loss_of_mixtures_is_that_of_targets_mixed_alike(class_weights: str) -> None:
    labels = torch.tensor([0, 2, 1, 0, 0])
    scores = torch.randn(5, 3)
    config = parse({"mixup": "0.4", "label_smoothing": "0.1", "class_weights": class_weights})
    loss = Loss(config, labels, 3, MACHINE.device)
    share = loss.share(3, 7)
    assert 0 < share < 1
    pictures = torch.randn(5, 3, 4, 4)
    mixtures, others = mixed(pictures, labels, share)
    assert torch.allclose(mixtures[1], share * pictures[1] + (1 - share) * pictures[3])
    one_hot = functional.one_hot(labels, 3).float()
    targets = share * one_hot + (1 - share) * one_hot.flip(0)
    weights = balanced(labels, 3) if class_weights == "balanced" else torch.ones(3)
    smoothed = targets * 0.9 + 0.1 / 3 * (targets.sum(1, keepdim=True))
    expected = -(smoothed * weights * scores.log_softmax(1)).sum()
    assert torch.allclose(loss(scores, labels, others, share), expected, rtol=1e-5)
    assert torch.allclose(loss.weight(labels), (targets * weights).sum())
    assert loss.share(3, 7) == share != loss.share(3, 8)


def test_without_mixup_nothing_is_mixed() -> None:
    loss = Loss(parse({}), torch.tensor([0, 1]), 2, MACHINE.device)
    pictures = torch.randn(2, 3, 4, 4)
    assert mixed(pictures, torch.tensor([0, 1]), loss.share(1, 0))[0] is pictures


@pytest.mark.parametrize(
    "asked", [{}, {"mixup": "0.4", "class_weights": "balanced", "label_smoothing": "0.1"}]
)
def test_a_step_in_pieces_has_the_numbers_of_one_that_is_whole(
    asked: dict[str, str], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked | {"trainable_from": "stem", "norm_statistics": "kept"}
    whole, one_by_one = _Forwards(), _Forwards()
    expected = train(pictures, None, callback=whole, **asked)
    monkeypatch.setattr(machine, "_TRAINED_AT_ONCE", 16**2 / 224**2)
    found = train(pictures, None, callback=one_by_one, **asked)
    assert (whole.number, one_by_one.number) == (6, 24)  # two epochs of 12 pictures, 4 in a step
    for ours, others in zip(numbers(found), numbers(expected), strict=True):
        assert ours == pytest.approx(others, rel=1e-3)


@pytest.mark.parametrize("asked", [{"trainable_from": "stem"}, {"trainable_from": "fc", "augment": "none"}])
def test_a_step_is_whole_where_norms_follow_it_or_features_are_fed(
    asked: dict[str, str], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_TRAINED_AT_ONCE", 16**2 / 224**2)
    forwards = _Forwards()
    train(pictures, None, callback=forwards, **asked)
    assert forwards.number == 6


class _Forwards(Callback):
    """Counts how often something goes forward."""

    number = 0

    def phase(self, name: str) -> None:
        self.number += name == "forward"


@pytest.mark.parametrize("augment", ["random-resized-crop", "trivial"])
def test_it_learns_from_mixtures_and_what_is_drawn_of_pictures(pictures: Path, augment: str) -> None:
    drawn = {"augment": augment, "random_erasing": "0.2", "mixup": "0.2", "trainable_from": "layer4"}
    trained = train(pictures, None, epochs="16", schedule="one-cycle", **drawn)
    assert trained.history[-1].train_loss < trained.history[0].train_loss


def test_it_learns_what_can_be_learned(pictures: Path) -> None:
    trained = train(pictures, None, epochs="24", schedule="one-cycle", augment="none")
    assert trained.history[-1].train_loss < trained.history[0].train_loss / 2
    assert trained.best.valid_accuracy == 1.0


def test_label_smoothing_changes_the_training_loss_only(pictures: Path, whole: Trained) -> None:
    smooth = train(pictures, None, epochs="2", label_smoothing="0.3", learning_rate="1e-12")
    plain = train(pictures, None, epochs="2", learning_rate="1e-12")
    assert smooth.history[0].train_loss != plain.history[0].train_loss
    assert smooth.history[0].valid_loss == pytest.approx(plain.history[0].valid_loss, abs=1e-5)


def test_a_loss_that_is_no_number_ends_the_job_with_step_and_cause(pictures: Path) -> None:
    said = (
        r"loss became (nan|inf) at step \d of epoch \d: .*rate \(100 at that step\).*try learning_rate=0\.1,"
    )
    with pytest.raises(TrainingDiverged, match=said):
        train(
            pictures,
            None,
            learning_rate="100",
            weight_decay="10",
            batch_size="2",
            schedule="constant",
            epochs="9",
        )


def test_weights_that_blow_up_unseen_are_noticed_on_the_validation_split(pictures: Path) -> None:
    with pytest.raises(
        TrainingDiverged, match=r"validation loss is (nan|inf) after epoch 1: .*learning rate"
    ):
        train(pictures, None, learning_rate="100", schedule="constant")


def test_every_epoch_is_told_in_words_that_the_metric_definitions_match(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = train(pictures, None, trainable_from="fc")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch=")]
    assert len(lines) == 2
    told = re.search(r"valid_loss=([0-9.eE+-]+)", lines[1])
    assert told is not None
    assert float(told[1]) == pytest.approx(trained.history[1].valid_loss, abs=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: x"),
        RuntimeError("could not create a primitive"),
    ],
)
def test_memory_that_does_not_suffice_is_said_with_the_batch_size_to_try(error: Exception) -> None:
    with (
        pytest.raises(OutOfMemory, match=r"32 pictures of 224x224 .* try batch_size=16"),
        memory_explained(parse({})),
    ):
        raise error


def test_any_other_error_of_torch_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shape mismatch"), memory_explained(parse({})):
        raise RuntimeError("shape mismatch")


def test_bfloat16_keeps_weights_in_float32_and_still_learns(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.training_code.samples.MACHINE", machine.Machine(MACHINE.device, 1, True))
    trained = train(pictures, None, epochs="1", image_size="32")
    assert trained.network.fc.weight.dtype == torch.float32
    assert trained.history[0].train_loss < 3
