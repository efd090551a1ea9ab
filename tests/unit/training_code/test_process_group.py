"""Several processes train as one would: the same losses, one checkpoint, one model."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn

from tests.unit.training_code.samples import TINY, job_folder, numbers, train
from tests.unit.training_code.test_job import metrics, run
from tests.unit.training_code.together import in_two
from training_code.config import parse
from training_code.distributed import launcher
from training_code.distributed.batch_norm import synchronise
from training_code.distributed.process_group import ProcessGroup
from training_code.errors import InvalidHyperparameter
from training_code.job import Cluster, Job
from training_code.network.fresh import fresh
from training_code.stopping import Stopped
from training_code.training.callback import Callback

TOGETHER = TINY | {
    "epochs": "2",
    "schedule": "constant",
    "augment": "crop-flip",
    "class_weights": "balanced",
    "batch_size": "6",
    "image_size": "48",
    "learning_rate": "0.001",
    "precision": "float32",
}


@pytest.fixture(scope="module")
def several(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A job of two processes that ran through: its base folder and log."""
    base = job_folder(tmp_path_factory.mktemp("several") / "base", pictures, TOGETHER | {"processes": "2"})
    code, log = run(base)
    assert code == 0, log
    return base, log


def test_two_processes_have_the_losses_of_one_and_leave_one_model(
    several: tuple[Path, str], pictures: Path
) -> None:
    base, log = several
    epoch = train(pictures, None, **TOGETHER).history[0]
    told = dict(word.split("=") for word in " ".join(metrics(log)[:1]).split())
    assert float(told["train_loss"]) == pytest.approx(epoch.train_loss, rel=2e-3)
    assert float(told["valid_loss"]) == pytest.approx(epoch.valid_loss, rel=1e-2)
    card = json.loads((base / "model" / "model.json").read_text())
    assert f"test_accuracy={card['metrics']['test']['accuracy']:.6f}" in log
    assert log.count("model of epoch") == 1


INTERRUPTED = """
import os, signal
if os.environ.get("RANK") == "0":
    from training_code.training import loop
    step = loop._Training._step
    def interrupted(self, *batch):
        if (self.progress.epoch, self.progress.step) == (2, 0):
            os.kill(os.getppid(), signal.SIGTERM)  # as SageMaker: to the first process alone
            while not self.stop.came:
                signal.sigtimedwait([], 0.01)
        step(self, *batch)
    loop._Training._step = interrupted
"""
"""Read by every Python process that finds it as `sitecustomize`."""


def test_two_processes_stopped_amid_an_epoch_go_on_to_the_same_numbers(
    several: tuple[Path, str], pictures: Path, tmp_path: Path
) -> None:
    base = job_folder(tmp_path / "base", pictures, TOGETHER | {"processes": "2"})
    (base / "checkpoints").mkdir()
    hook = base / "input" / "data" / "code" / "sitecustomize.py"
    hook.write_text(INTERRUPTED)
    code, log = run(base)
    assert code == 0, log
    assert log.count("stopped at epoch 2, step 1") == 1
    assert "Traceback" not in log
    hook.unlink()
    code, log = run(base)
    assert code == 0, log
    assert log.count("resumed at epoch 2, step 1") == 1
    assert metrics(log) == metrics(several[1])[1:]
    weights = [each / "model" / "model.safetensors" for each in (base, several[0])]
    assert weights[0].read_bytes() == weights[1].read_bytes()


MISSING = """
import os
if os.environ.get("RANK") == "1":
    from training_code import errors
    from training_code.data import dataset
    def missing(*_):
        raise errors.UnusableDataset("the pictures are gone")
    dataset.find = missing
"""
KILLED = """
import os, signal
if os.environ.get("RANK") == "1":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (MISSING, "UnusableDataset: the pictures are gone"),
        (KILLED, "process 1 was killed (SIGKILL), most likely because the machine's memory was used up; try"),
    ],
    ids=["with a message", "without a word"],
)
def test_one_process_that_fails_ends_all_with_one_message(
    hook: str, reason: str, pictures: Path, tmp_path: Path
) -> None:
    base = job_folder(tmp_path / "base", pictures, TOGETHER | {"processes": "2"})
    (base / "input" / "data" / "code" / "sitecustomize.py").write_text(hook)
    code, log = run(base)
    assert code == 1
    assert (base / "output" / "failure").read_text().startswith(reason)
    assert log.count("error: ") == 1, log
    assert log.count("exitcode") == 0, "torchrun says nothing of its own"
    assert "Traceback" not in log


SLOW = """
import os, time
if "RANK" in os.environ:
    from training_code.training import loop
    step = loop._Training._step
    def slow(self, *batch):
        time.sleep(0.3)
        step(self, *batch)
    loop._Training._step = slow
"""
"""Read by every Python process that finds it as `sitecustomize`: the side process has the cores meanwhile."""


def test_a_rule_that_the_first_process_sees_ends_both_with_the_best_epoch_tested(
    pictures: Path, tmp_path: Path
) -> None:
    """`overtraining` without patience finds something after any epoch; the job has no other end."""
    told = {
        "processes": "2",
        "epochs": "10000",
        "learning_rate": "1e-6",
        "trainable_from": "fc",
        "debug_rules": "overtraining",
        "debug_parameters": json.dumps({"overtraining": {"patience_train": 0, "patience_validation": 0}}),
        "on_trigger": "stop",
    }
    base = job_folder(tmp_path / "job", pictures, TINY | told)
    (base / "input" / "data" / "code" / "sitecustomize.py").write_text(SLOW)
    code, log = run(base)
    assert code == 0, log
    assert log.count("debugger: overtraining ends the training") == log.count("model of epoch") == 1
    assert len(re.findall("stopped at epoch", log)) == 1
    evaluation = json.loads((tmp_path / "job" / "output" / "data" / "evaluation.json").read_text())
    assert evaluation["test"]["count"] == 4
    assert [each["rule"] for each in evaluation["findings"]["findings"]] == ["overtraining"]
    report = json.loads((tmp_path / "job" / "output" / "data" / "report.json").read_text())
    assert report["stopped_by"] == "overtraining"
    assert 1 <= report["best_epoch"] <= len(report["history"])


class _StopsInTheSecondEpoch(Callback):
    """What the rules' session does when one of them ends the training."""

    def step_begins(self, epoch: int, step: int) -> None:
        self._now = (epoch, step)

    def step_ends(self, loss: Tensor) -> None:
        if self._now == (2, 0):
            raise Stopped


def _stop_as_one(group: ProcessGroup, pictures: Path) -> None:
    callback = _StopsInTheSecondEpoch() if group.is_main else None
    with contextlib.redirect_stdout(io.StringIO()) as said:
        trained = train(pictures, None, group=group, callback=callback, epochs="9", trainable_from="fc")
    assert trained.stopped
    (line,) = [line for line in said.getvalue().splitlines() if line.startswith("stopped at")]
    assert line.startswith("stopped at epoch 2, step 1;")
    both = group.all_gather((line, numbers(trained), trained.network.fc.weight.tolist()))
    assert both[0] == both[1]


def _normalise(group: ProcessGroup, folder: Path, pictures: Path) -> None:
    torch.manual_seed(0)
    whole = torch.randn(7, 3, 4, 4) * 5 + 2
    plain, both = nn.Sequential(nn.BatchNorm2d(3)), nn.Sequential(nn.BatchNorm2d(3))
    synchronise(both)
    mine = group.part(torch.arange(7))
    expected = plain(whole)
    found = both(whole[mine])
    assert torch.allclose(found, expected[mine], atol=1e-5)
    (expected**3).sum().backward()
    (found**3).sum().backward()
    gradient = both[0].weight.grad
    distributed.all_reduce(gradient)
    assert torch.allclose(gradient, plain[0].weight.grad, rtol=1e-4)
    assert torch.allclose(both[0].running_var, plain[0].running_var, rtol=1e-5)
    assert torch.allclose(both.eval()(whole), plain.eval()(whole), atol=1e-5)
    _step_as_one(group, "resnet18", "stem")
    _step_as_one(group, "tf_efficientnet_lite0", "stage7")
    _stop_as_one(group, pictures)
    assert group.any(group.rank == 1)
    assert not group.any(False)
    assert list(group.all_gather(group.rank)) == [0, 1]
    (folder / str(group.rank)).touch()


def _step_as_one(group: ProcessGroup, arch: str, stage: str) -> None:
    """In float64, where rounding hides nothing: the gradients of a whole network."""
    torch.manual_seed(1)
    pictures, labels = torch.randn(5, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1])
    gradients = []
    for alone in (True, False):
        torch.manual_seed(2)
        network = fresh(arch, 2, 32).double()
        network.freeze_before(stage)
        rows = torch.arange(5) if alone else group.part(torch.arange(5))
        if not alone:
            synchronise(network)
        stepped = network if alone else group.data_parallel(network)
        scores = stepped(pictures[rows], from_freeze_point=False)
        share = 1 if alone else group.size
        (nn.functional.cross_entropy(scores, labels[rows], reduction="sum") * share / 5).backward()
        gradients.append([value.grad for value in network.parameters() if value.requires_grad])
    for whole, together in zip(*gradients, strict=True):
        assert torch.allclose(whole, together, rtol=1e-6, atol=1e-12)


def test_batch_statistics_gradients_and_the_last_step_of_two_processes_are_those_of_one(
    pictures: Path, tmp_path: Path
) -> None:
    in_two(_normalise, tmp_path, pictures)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_the_instances_of_a_job_are_those_sagemaker_lists(tmp_path: Path) -> None:
    assert Job(tmp_path, "j").cluster().hosts == ("localhost",)
    (tmp_path / "input" / "config").mkdir(parents=True)
    told = {"current_host": "algo-2", "hosts": ["algo-2", "algo-1"], "network_interface_name": "eth0"}
    (tmp_path / "input" / "config" / "resourceconfig.json").write_text(json.dumps(told))
    assert Job(tmp_path, "j").cluster() == Cluster(("algo-1", "algo-2"), 1, "eth0")


def test_torchrun_is_told_every_instance_and_the_first_is_where_they_meet() -> None:
    cluster = Cluster(("algo-1", "algo-2"), 1, "eth0")
    told = launcher.arguments(parse({"processes": "4"}), cluster)
    assert told == (
        [
            "--nnodes=2",
            "--node-rank=1",
            "--master-addr=algo-1",
            "--master-port=29500",
            "--nproc-per-node=4",
            "--shutdown-timeout=110",
        ]
    )
    assert launcher.environment(parse({}), cluster)["GLOO_SOCKET_IFNAME"] == "eth0"
    assert launcher.arguments(parse({"processes": "2"}), Cluster(("algo-1",), 0, "eth0")) == [
        "--standalone",
        "--nproc-per-node=2",
        "--shutdown-timeout=110",
    ]


def test_one_process_starts_no_others_and_neither_does_one_that_was_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    alone, pair = Cluster(("localhost",), 0, ""), Cluster(("a", "b"), 0, "")
    assert not launcher.needed(parse({}), alone)
    assert launcher.needed(parse({}), pair)
    assert launcher.needed(parse({"processes": "2"}), alone)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert launcher.per_instance(parse({})) == 4
    with pytest.raises(InvalidHyperparameter, match="processes=5: this instance has 4 GPUs"):
        launcher.per_instance(parse({"processes": "5"}))
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert not launcher.needed(parse({"processes": "2"}), alone)
    with pytest.raises(InvalidHyperparameter, match="processes=65"):
        parse({"processes": "65"})
