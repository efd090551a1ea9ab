"""A disk that is full when a test wants it: a file system in memory whose size can be changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOMY_BYTES = 2 * 2**30


class NoSmallDiskError(Exception):
    """Only root may mount a file system."""


class SmallDisk:
    """A file system mounted on `folder`, which takes memory for what lies on it only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        options = ["-t", "tmpfs", "-o", f"size={ROOMY_BYTES}", "tmpfs"]
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
        if done.returncode:
            folder.rmdir()
            raise NoSmallDiskError(f"no file system may be mounted here: {done.stderr.strip()}")

    def full(self, room: int = 0) -> None:
        """Leave `room` bytes."""
        used = int(subprocess.check_output(["du", "-s", "-B1", str(self.folder)]).split()[0])
        self._resize(max(used + room, 4096))  # 0 would mean: without a bound

    def roomy(self) -> None:
        self._resize(ROOMY_BYTES)

    def gone(self) -> None:
        """Unmount it, with all that is on it."""
        subprocess.run(["umount", "-l", str(self.folder)], check=True)
        self.folder.rmdir()

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)
