"""Looking on while a job runs: the side process, what a finding leads to, and what may go wrong."""

from __future__ import annotations

import dataclasses
import importlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reports.ended import jobs
from tests.unit.training_code.debugged import SHORT, classes_of_noise, network
from tests.unit.training_code.samples import MACHINE, load
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.debugging import capture, smdebug_adapter
from training_code.debugging.settings import DebugSettings
from training_code.debugging.smdebug_adapter import without
from training_code.errors import InvalidHyperparameter, StoppedByRule
from training_code.output import record, remains
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.callback import Callback, Callbacks
from training_code.training.checkpoints import Checkpoints
from training_code.training.progress import Trained
from training_code.watching.door import Watching, watching
from training_code.watching.session import Session
from training_code.watching.side_process import ORDERS


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty times as many pictures of one class: found in the first step."""
    return classes_of_noise(tmp_path_factory.mktemp("uneven"), {"many": (40, 6), "few": (2, 6)})


class UntilFound(Callback):
    """Holds the training up after a step until the side process has written what it found."""

    def __init__(self, output: Path, from_epoch: int) -> None:
        self._file, self._from = output / "debug" / "findings.json", from_epoch
        self._epoch = 0

    def step_begins(self, epoch: int, step: int) -> None:
        self._epoch = epoch

    def step_ends(self, loss: Tensor) -> None:
        deadline = time.monotonic() + 240
        while self._epoch >= self._from and time.monotonic() < deadline:
            if self._file.exists() and json.loads(self._file.read_text())["findings"]:
                time.sleep(1.1)  # the session looks once a second
                return
            time.sleep(0.1)


def watched(
    pictures: Path, output: Path, after: Callback | None = None, **hyperparameters: str
) -> tuple[Trained, Watching]:
    config = parse(SHORT | hyperparameters)
    dataset = load(pictures, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    with watching(output, DebugSettings.of(config), dataset.classes) as looking:
        callback = Callbacks([each for each in (looking.callback, after) if each])
        trained = loop.train(network(2), train, valid, config, Checkpoints(None, {}), StopSignal(), callback)
    return trained, looking


def test_a_rule_stops_the_training_and_the_best_epoch_is_kept(
    uneven: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = UntilFound(tmp_path, from_epoch=2)
    trained, looking = watched(uneven, tmp_path, held, epochs="30", on_trigger="stop")
    assert looking.stopped_by == "class_imbalance"
    assert trained.stopped
    assert 1 <= len(trained.history) < 30
    assert looking.findings.of("class_imbalance") is not None
    told = json.loads((tmp_path / "debug" / "findings.json").read_text())
    assert told["stopped_by"] == "class_imbalance"
    assert "debugger: rule=class_imbalance step=0: the most frequent class" in capsys.readouterr().out


def test_a_rule_that_stops_before_there_is_a_model_fails_the_job_with_what_to_do(
    uneven: Path, tmp_path: Path
) -> None:
    held = UntilFound(tmp_path, from_epoch=1)
    with pytest.raises(StoppedByRule, match=r"class_imbalance ended .* set class_weights"):
        watched(uneven, tmp_path, held, epochs="9", on_trigger="stop")


def test_a_disk_that_is_full_ends_the_debugging_and_not_the_training(
    uneven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("smdebug.core.access_layer.file.TSAccessFile.write", full)
    config = parse(SHORT | {"epochs": "2"})
    dataset = load(uneven, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    looking = capture.Capture(tmp_path, DebugSettings.of(config), dataset.classes)
    trained = loop.train(network(2), train, valid, config, Checkpoints(None, {}), StopSignal(), looking)
    looking.end()
    assert len(trained.history) == 2
    assert capsys.readouterr().out.count("warning: debugging stops here, training goes on") == 1


def test_debugging_ends_while_there_is_room_for_checkpoint_and_model(
    uneven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = parse(SHORT | {"epochs": "1"})
    dataset = load(uneven, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    built = network(2)
    size = sum(each.numel() * each.element_size() for each in built.state_dict().values())
    looks = iter([10**12, 10**12, 6 * size])
    monkeypatch.setattr(
        capture.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 0, next(looks))
    )
    looking = capture.Capture(tmp_path, DebugSettings.of(config), dataset.classes)
    loop.train(built, train, valid, config, Checkpoints(None, {}), StopSignal(), looking)
    looking.end()
    assert "training goes on: [Errno 28]" in capsys.readouterr().out
    assert len(smdebug_adapter.open_trial(tmp_path / "tensors").steps()) == 1


@pytest.mark.parametrize("bound", ["MOST_SAVES", "MOST_BYTES"])
def test_debugging_ends_before_it_hides_the_evaluation_from_its_reader(
    bound: str,
    uneven: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who registers the model searches so much of a job's output and no more."""
    config = parse(SHORT | {"epochs": "1"})
    dataset = load(uneven, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    monkeypatch.setattr(capture, bound, 2 if bound == "MOST_SAVES" else 40_000)
    looking = capture.Capture(tmp_path, DebugSettings.of(config), dataset.classes)
    loop.train(network(2), train, valid, config, Checkpoints(None, {}), StopSignal(), looking)
    looking.end()
    assert "debugging stops here, training goes on: [Errno 27]" in capsys.readouterr().out
    assert 1 <= len(smdebug_adapter.open_trial(tmp_path / "tensors").steps()) <= 2


def test_whole_tensors_are_saved_at_the_steps_asked_for_and_not_at_each_epochs_end(
    uneven: Path, tmp_path: Path
) -> None:
    config = parse(SHORT | {"epochs": "3", "debug_save": "tensors", "debug_every": "10"})
    dataset = load(uneven, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    looking = capture.Capture(tmp_path, DebugSettings.of(config), dataset.classes)
    loop.train(network(2), train, valid, config, Checkpoints(None, {}), StopSignal(), looking)
    looking.end()
    trial = smdebug_adapter.open_trial(tmp_path / "tensors")
    assert train.steps == 6
    assert trial.steps() == [0, 5, 10, 11, 17]
    assert trial.tensor("gradient/fc.weight").steps() == [0, 10]


def test_a_record_that_finds_no_room_costs_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    record.write({"job": "j"}, tmp_path)
    assert "warning: report.json is not written" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_rule_that_comes_with_the_last_step_has_ended_nothing(uneven: Path, tmp_path: Path) -> None:
    """Several processes agree on the end before a step, and after the last one there is none."""
    session = Session(tmp_path / "debug", DebugSettings.of(parse(SHORT)), ("many", "few"))
    trained, _ = watched(uneven, tmp_path / "output", epochs="1", debug_rules="none", debug_every="0")
    for stopped, by in ((True, "overfit"), (False, "")):
        session.stopped_by = "overfit"
        session.training_ends(dataclasses.replace(trained, stopped=stopped))
        assert session.stopped_by == by


def test_looking_on_changes_no_number(uneven: Path, tmp_path: Path) -> None:
    config = parse(SHORT | {"epochs": "1"})
    dataset = load(uneven, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    results = []
    for callback in (None, capture.Capture(tmp_path, DebugSettings.of(config), dataset.classes)):
        trained = loop.train(network(2), train, valid, config, Checkpoints(None, {}), StopSignal(), callback)
        results.append(trained)
    assert results[0].history[0].valid_loss == results[1].history[0].valid_loss
    assert torch.equal(results[0].network.fc.weight, results[1].network.fc.weight)
    assert list(results[0].network.state_dict()) == list(results[1].network.state_dict())


def test_a_job_that_asks_for_nothing_does_not_even_import_smdebug(tmp_path: Path) -> None:
    check = (
        "import sys; from pathlib import Path; from training_code.config import parse;"
        "from training_code.debugging.settings import DebugSettings;"
        "from training_code.watching.door import watching\n"
        "with watching(Path(sys.argv[1]), DebugSettings.of(parse({})), ('a', 'b')) as looking: pass\n"
        "assert looking.callback is None; print([name for name in sys.modules if name.startswith('smdebug')])"
    )
    said = subprocess.run(
        [sys.executable, "-c", check, str(tmp_path / "output")],
        cwd=Path(loop.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"
    assert not (tmp_path / "output").exists()


def test_a_package_that_nobody_needs_looks_empty_only_while_others_are_imported() -> None:
    with without("no_such_package", "json"):
        assert not vars(importlib.import_module("no_such_package")).get("anything")
        assert importlib.import_module("json") is json
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_package")
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("hyperparameters", "says"),
    [
        ({"debug_rules": "overfit,confussion"}, "no rule 'confussion' (did you mean 'confusion'?)"),
        (
            {"debug_rules": "all", "debug_parameters": '{"overfit": {"patienc": 1}}'},
            "did you mean 'patience'?",
        ),
        ({"debug_rules": "all", "debug_parameters": '{"overfit": {"patience": "a"}}'}, "is not a number"),
        ({"debug_rules": "all", "debug_parameters": "{"}, "is not JSON"),
    ],
)
def test_what_nobody_knows_is_named_with_the_nearest(hyperparameters: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidHyperparameter) as error:
        DebugSettings.of(parse(hyperparameters))
    assert says in str(error.value)


def test_a_crashed_jobs_folder_becomes_a_report_of_what_is_there(uneven: Path, tmp_path: Path) -> None:
    config = parse(SHORT | {"epochs": "1"})
    dataset = load(uneven, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    debug = tmp_path / "job" / "debug"
    looking = capture.Capture(debug, DebugSettings.of(config), dataset.classes)
    loop.train(network(2), train, valid, config, Checkpoints(None, {}), StopSignal(), looking)
    rules = {"debug_rules": {"class_imbalance": {"threshold_imbalance": 10}}, "profile_rules": {}}
    (debug / ORDERS).write_text(json.dumps({"on_trigger": "report", **rules}))
    file = tmp_path / "report.json"
    assert remains.main(str(tmp_path / "job"), str(file)) == 0  # nobody closed it, no findings, no report
    text = jobs.render([jobs.read(file, tmp_path / "job")])
    assert "ended before it could write a report" in text
    assert "The most frequent class has 40 training pictures" in text
    assert "Gradient and weight flow" in text
    assert "Learning curves" not in text
    assert remains.main(str(tmp_path / "nothing"), str(file)) == 1
