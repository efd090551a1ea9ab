"""smdebug's own hook, driven step by step instead of by module hooks, writing without its extra thread.

What it leaves is an ordinary smdebug folder: `smdebug.trials.create_trial` reads it, AWS's and anybody's
rules run on it. smdebug writes through a thread that dies on a full disk and leaves the training waiting
for it for ever; here the same records are written in the caller's thread, where an error can be caught.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("SMDEBUG_LOG_LEVEL", "error")  # it announces every import otherwise

from training_code.debugging.lean import without

with without("pandas"):
    from smdebug.core.locations import TensorLocation
    from smdebug.core.tfevent.event_file_writer import get_relative_event_file_path
    from smdebug.core.tfevent.events_writer import EventsWriter
    from smdebug.core.tfevent.proto.event_pb2 import Event
    from smdebug.core.writer import FileWriter
    from smdebug.pytorch import Hook as SmdebugHook

WORKER: Final = "worker_0"
END_OF_JOB: Final = "training_job_end.ts"
"""smdebug's mark that nothing more will come. Its own hook leaves it out under SageMaker."""


class Hook(SmdebugHook):  # type: ignore[misc]
    """Saves named arrays of one step at a time into `folder`."""

    def __init__(self, folder: Path, collections: Mapping[str, str]) -> None:
        """`collections` gives smdebug's collections by name, each the pattern of its tensors' names."""
        super().__init__(out_dir=str(folder), include_collections=list(collections))
        self.out_dir = str(folder)
        self.worker = self.chief_worker = WORKER
        for name, pattern in collections.items():
            self.get_collection(name).include(pattern)
        self.collection_manager.set_num_workers(1)
        self.collection_manager.export(self.out_dir, f"{WORKER}_collections.json")
        self.exported_collections = True

    def save_step(self, step: int, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Write one step; it is complete for readers when this returns.

        Raises:
            OSError: it could not be written.
        """
        writer = _Writer(trial_dir=self.out_dir, step=step, worker=WORKER)
        for name, value in tensors.items():
            writer.write_tensor(tdata=value, tname=name)
        writer.close()
        self.step = self.last_saved_step = step

    def end(self) -> None:
        """Say that nothing more will come."""
        (Path(self.out_dir) / END_OF_JOB).touch()

    def _cleanup(self) -> None:
        """Runs when Python exits; everything is written by then."""


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
