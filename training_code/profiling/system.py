"""How busy the machine is, twice a second: a process of its own while the training runs.

It imports psutil and nothing else of weight, so that its half seconds are half seconds. It ends with the
training process, or when the file `done` appears in the folder above its own.

Run as `python -m training_code.profiling.system FOLDER`, by the training process.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from training_code.profiling import DONE, SYSTEM
from training_code.profiling.gpu import Gpus

_SECONDS_BETWEEN: Final = 0.5


class Sampler:
    """Adds a line to system.csv at each `sample`.

    Columns: seconds since the first sample; each core's use and the time waited for disks, percent; the
    machine's used and this job's resident memory, MiB; disk and network traffic, MB/s; each GPU's use in
    percent and its used and total memory, MiB.
    """

    def __init__(self, pid: int, folder: Path) -> None:
        self._process = psutil.Process(pid)
        self._gpus = Gpus()
        self._path = folder / SYSTEM
        self._cores = len(psutil.cpu_percent(percpu=True))
        psutil.cpu_times_percent()
        self._start = self._last = time.monotonic()
        self._disk, self._net = psutil.disk_io_counters(), psutil.net_io_counters()
        columns = ["seconds", *(f"core{core}" for core in range(self._cores)), "io_wait", "memory_mb"]
        columns += ["process_mb", "disk_read", "disk_write", "net_in", "net_out"]
        columns += [
            f"gpu{gpu}_{what}"
            for gpu in range(len(self._gpus.look()))
            for what in ("busy", "used_mb", "total_mb")
        ]
        folder.mkdir(parents=True, exist_ok=True)
        self._path.write_text(",".join(columns) + "\n", encoding="utf-8")

    def sample(self) -> None:
        """One line for the time since the last."""
        now = time.monotonic()
        seconds = max(1e-3, now - self._last)
        cores = psutil.cpu_percent(percpu=True)
        waited = getattr(psutil.cpu_times_percent(), "iowait", 0.0)
        disk, net = psutil.disk_io_counters(), psutil.net_io_counters()
        rates = [0.0] * 4
        if disk and self._disk:
            rates[:2] = disk.read_bytes - self._disk.read_bytes, disk.write_bytes - self._disk.write_bytes
        if net and self._net:
            rates[2:] = net.bytes_recv - self._net.bytes_recv, net.bytes_sent - self._net.bytes_sent
        try:
            resident = self._process.memory_info().rss
        except psutil.Error:  # it has just ended
            return
        values = [now - self._start, *cores, waited, psutil.virtual_memory().used / 2**20, resident / 2**20]
        values += [rate / seconds / 1e6 for rate in rates]
        for gpu in self._gpus.look():
            values += [gpu.busy, gpu.used / 2**20, gpu.total / 2**20]
        with self._path.open("a", encoding="utf-8") as file:
            file.write(",".join(f"{value:.2f}" for value in values) + "\n")
        self._last, self._disk, self._net = now, disk, net


def main(arguments: list[str]) -> int:
    """Sample for the process that started this one."""
    folder, parent = Path(arguments[0]), os.getppid()
    with contextlib.suppress(OSError):
        os.nice(10)
    try:
        sampler = Sampler(parent, folder)
        while os.getppid() == parent and not (folder.parent / DONE).exists():
            time.sleep(_SECONDS_BETWEEN)
            sampler.sample()
    except OSError as error:  # a full disk ends the profiling, not the training
        print(f"warning: nobody looks at the machine any more: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
