"""What holds for all tests: a claim is tried on the same examples every time, however slow the machine is,
what runs on this machine is asked past its proxies, a package is compiled once for all their processes,
and the shell finds `classifier`, whoever started them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cli.target import spare_loopback

spare_loopback(os.environ)
os.environ.pop("MAKELEVEL", None)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

# Where Python is told to keep no bytecode, as in many images, each of the hundred processes that the tests
# start would compile torch or aws_cdk anew, which takes longer than most of what they are started for. It is
# kept apart from the sources, so that nothing else changes.
ROOT = Path(__file__).parent
BYTECODE = ROOT / ".local" / "bytecode"
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(BYTECODE)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

# Random examples, deadlines and "input generation is slow" would make a run on a busy machine differ from
# one on an idle machine.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Nobody asks again for the bytecode of what lay in a temporary folder."""
    if hasattr(config, "workerinput"):
        return
    for kept in (BYTECODE / tempfile.gettempdir().lstrip(os.sep)).glob("*"):
        if not ROOT.is_relative_to(os.sep / kept.relative_to(BYTECODE)):
            shutil.rmtree(kept, ignore_errors=True)
