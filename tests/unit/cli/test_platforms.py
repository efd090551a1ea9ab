"""The command can be imported, and say its help, where Python has not what only Linux or a Unix has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cli.target import ROOT
from contract.cores import usable_cores

# Everything is imported once as it is, so that what others wrote is there; then ours anew, elsewhere.
IMPORTED_ELSEWHERE = """
import importlib, os, pkgutil, signal, sys
import cli, contract, classifier_client, reports

ROOMS = (cli, contract, classifier_client, reports)
names = [each.name for room in ROOMS for each in pkgutil.walk_packages(room.__path__, room.__name__ + ".")]
names = [name for name in names if name != "contract.timm_models"]  # only jobs and servers have what it wants
for name in names:
    importlib.import_module(name)
ours = {name for name in sys.modules if name.partition(".")[0] in {room.__name__ for room in ROOMS}}
for name in ours:
    del sys.modules[name]
sys.platform = SYSTEM
absent = ["fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "readline"]
lacking = ["sched_getaffinity", "memfd_create", "posix_fadvise"]
if SYSTEM == "win32":
    lacking += ["geteuid", "getuid", "fchmod", "killpg", "setsid", "fork"]
    del signal.SIGHUP, signal.SIGKILL
for name in absent if SYSTEM == "win32" else ["syslog"]:
    sys.modules[name] = None
for name in lacking:
    if hasattr(os, name):
        delattr(os, name)
for name in names:
    importlib.import_module(name)

from click import Context
from cli.__main__ import COMMANDS, cli as group
from cli.interrupt import treat_as_interrupt

treat_as_interrupt()
for name in COMMANDS:
    command = group.get_command(Context(group), name)
    command.get_help(Context(command, info_name=name))
print(len(names), "modules")
"""


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_all_of_the_command_is_imported_without_what_this_system_lacks(system: str) -> None:
    script = f"SYSTEM = {system!r}\n{IMPORTED_ELSEWHERE}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 100


def test_processors_are_counted_where_nobody_tells_which_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert usable_cores() == 5


def test_a_lock_on_a_system_without_them_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from cli import locks

    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(locks.NoLocks, match="WSL"):
        locks.take(0)


@pytest.mark.parametrize("room", ["batch", "cli", "doctor", "inference_code", "training_code"])
def test_processors_are_counted_in_one_place(room: str) -> None:
    """As macOS does not tell which are allowed, and the local AWS runs all of these there."""
    asking = [path for path in (ROOT / room).rglob("*.py") if "sched_getaffinity" in path.read_text("utf-8")]
    assert asking == []
