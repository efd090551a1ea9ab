"""What the adapter takes of smdebug's insides is there, and the folder it leaves is an ordinary one."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from training_code.debugging.smdebug_adapter import StepWriter, array


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two steps, as a job saves them."""
    writer = StepWriter(tmp_path / "tensors", {"losses": "loss"})
    for step in (0, 5):
        writer.save_step(step, {"loss": array(step)})
    writer.end()
    return tmp_path / "tensors"


def test_smdebugs_own_trial_reads_what_was_written(folder: Path) -> None:
    from smdebug.trials import create_trial

    trial = create_trial(str(folder))
    assert trial.steps() == [0, 5]
    assert trial.tensor("loss").value(5).tolist() == [5.0]
    assert trial.tensor_names(collection="losses") == ["loss"]


def test_a_folder_is_read_without_torch_and_without_pandas(folder: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from training_code.debugging import rule_runner\n"
        f"print(rule_runner.open_trial(__import__('pathlib').Path({str(folder)!r})).steps())\n"
        "print('pandas' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[:2] == ["[0, 5]", "False"]


def test_smdebug_has_what_the_adapter_overrides() -> None:
    from smdebug.core.hook import BaseHook
    from smdebug.core.writer import FileWriter
    from smdebug.trials.local_trial import LocalTrial

    assert "atexit.register(self._cleanup)" in inspect.getsource(BaseHook.__init__)
    assert isinstance(inspect.getattr_static(FileWriter, "proto_writer"), property)
    assert list(inspect.signature(LocalTrial.wait_for_steps).parameters)[1:] == ["required_steps", "mode"]
    assert "dynamic_refresh" in inspect.getsource(LocalTrial.maybe_refresh)
