"""smdebug, bent where its insides do not suit a training job: all that depends on them stands here.

What is written is an ordinary smdebug folder, on which AWS's and anybody's rules run. smdebug writes through
a thread that dies on a full disk and leaves the training waiting for ever; here the caller's thread writes.
Reading looks at the folder when it is told to, and needs no torch.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import time
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("SMDEBUG_LOG_LEVEL", "error")  # it announces every import otherwise
os.environ.setdefault("TRAINING_END_DELAY_REFRESH", "0")  # what is there is all there is


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Let packages that nobody has imported yet look empty to what is imported inside, and only there.

    smdebug imports some for parts that nothing here uses: half of its second.
    """
    emptied = [name for name in names if name not in sys.modules]
    sys.modules |= {name: ModuleType(name) for name in emptied}
    try:
        yield
    finally:
        for name in emptied:
            del sys.modules[name]


with without("pandas"):
    from smdebug.core.locations import TensorLocation
    from smdebug.core.tfevent.event_file_writer import get_relative_event_file_path
    from smdebug.core.tfevent.events_writer import EventsWriter
    from smdebug.core.tfevent.proto.event_pb2 import Event
    from smdebug.core.writer import FileWriter
    from smdebug.exceptions import RuleEvaluationConditionMet as RuleEvaluationConditionMet
    from smdebug.rules.rule import Rule as Rule
    from smdebug.rules.rule_invoker import invoke_rule as invoke_rule
    from smdebug.trials.local_trial import LocalTrial

WORKER: Final = "worker_0"
END_OF_JOB: Final = "training_job_end.ts"
"""smdebug's mark that nothing more will come. Its own hook leaves it out under SageMaker."""


class StepWriter:
    """Saves named arrays of one step at a time into `folder`, which smdebug's own hook prepares."""

    def __init__(self, folder: Path, collections: Mapping[str, str]) -> None:
        """`collections` gives smdebug's collections by name, each the pattern of its tensors' names."""
        with without("pandas"):
            from smdebug.pytorch import Hook  # brings torch, which reading does without

        hook = Hook(out_dir=str(folder), include_collections=list(collections))
        atexit.unregister(hook._cleanup)  # everything is written by then
        for name, pattern in collections.items():
            hook.get_collection(name).include(pattern)
        hook.collection_manager.set_num_workers(1)
        hook.collection_manager.export(str(folder), f"{WORKER}_collections.json")
        self._folder = folder

    def save_step(self, step: int, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Write one step; it is complete for readers when this returns.

        Raises:
            OSError: it could not be written.
        """
        writer = _Writer(trial_dir=str(self._folder), step=step, worker=WORKER)
        for name, value in tensors.items():
            writer.write_tensor(tdata=value, tname=name)
        writer.close()

    def end(self) -> None:
        """Say that nothing more will come."""
        (self._folder / END_OF_JOB).touch()


class _Writer(FileWriter):  # type: ignore[misc]
    _proto_writer: _Records | None

    @property
    def proto_writer(self) -> _Records:
        if self._proto_writer is None:
            self._proto_writer = _Records(self.event_file_path, self.index_writer)
        return self._proto_writer


class _Records:
    """What smdebug's EventFileWriter does, without a queue and a thread."""

    def __init__(self, path: str, index: Any) -> None:
        self._path, self._index = path, index
        self._events = EventsWriter(path=path)
        self._events.init()

    def write_summary_with_index(
        self, summary: Any, step: int, tname: str, mode: Any, mode_step: int, timestamp: float | None = None
    ) -> None:
        event = Event(summary=summary, wall_time=timestamp or time(), step=step)
        start, length = self._events.write_event(event)
        self._index.add_index(
            TensorLocation(
                tname=tname,
                mode=str(mode).rsplit(".", maxsplit=1)[-1],
                mode_step=mode_step,
                event_file_name=get_relative_event_file_path(self._path),
                start_idx=start,
                length=length,
                worker=WORKER,
            )
        )

    def flush(self) -> None:
        self._events.flush()

    def close(self) -> None:
        self._events.close()


def array(value: Any) -> NDArray[np.float32]:
    """A value as smdebug stores it."""
    return np.atleast_1d(np.asarray(value, dtype=np.float32))


class _Trial(LocalTrial):  # type: ignore[misc]
    """Looks at the folder when it is told to. smdebug's own looks at every question, and never again once a
    rule has asked for a tensor that a step does not have: `no_refresh` is not undone by an exception.
    """

    def look(self) -> None:
        """Take in what has come since."""
        self.dynamic_refresh = True
        self.maybe_refresh()
        self.dynamic_refresh = False

    def wait_for_steps(self, required_steps: Any, mode: Any = None) -> None:
        """A rule is only asked about steps that are there."""


def open_trial(tensors: Path) -> Any:
    """smdebug's trial over a folder of saved tensors, as it is now."""
    trial = _Trial(name="job", dirname=str(tensors))
    trial.look()
    return trial
