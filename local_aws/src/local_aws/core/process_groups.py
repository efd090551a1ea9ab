"""Process groups: killed as a whole, found again after a crash, and watched by a guardian."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

_GUARDIAN = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""
# The command that kills the groups it was told about when its standard input is closed.
GUARDIAN = (sys.executable, "-I", "-S", "-c", _GUARDIAN)


def sweep(directory: Path) -> None:
    """Kill the processes named by left-over pid files, if they are still the same processes."""
    for file in directory.glob("*.json"):
        try:
            record = json.loads(file.read_text())
            pid, started = int(record["pid"]), str(record["started"])
        except (ValueError, KeyError):
            pid, started = 0, ""  # cut short by the kill; the guardian knew it by its pid
        if pid and started and start_time(pid) == started:
            kill_group(pid)
        file.unlink(missing_ok=True)


def start_time(pid: int) -> str:
    """When the process began, as a string that a recycled pid does not repeat; empty if it is gone."""
    try:
        # proc(5): field 22, counted after the command's closing parenthesis.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    return subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()


def kill_group(group: int) -> None:
    """SIGKILL to all its members."""
    # PermissionError is macOS's answer for a group of zombies only.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
