"""No reader that leaves and no encoding makes a command end with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cli.errors import ExitCode

SPEAKING = (
    "import cli.__main__ as main; from cli.commands import status; from cli.console import console, say; "
    "status.half_there = lambda target: ''; "
)


def spoken(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """What the command prints when looking for the newest run is replaced by `code`."""
    program = f"{SPEAKING}status.latest_run = lambda target: ({code}); main.main(['status'])"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, env=os.environ | environment, check=False
    )


@pytest.mark.parametrize("how", ["say('●★ done ✗ → 中')", "console().print('●★ done ✗ → 中')"])
def test_a_terminal_of_another_encoding_gets_plain_signs(how: str) -> None:
    done = spoken(f"{how}, exit(0)", PYTHONIOENCODING="ascii")
    assert done.stdout == b"** done x -> ?\n"
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_error_can_be_said_there_too() -> None:
    raising = "(_ for _ in ()).throw(main.CliError('the folder Müller…'))"
    done = spoken(raising, PYTHONIOENCODING="ascii")
    assert done.stderr.startswith(b"Error: the folder M")
    assert done.returncode == ExitCode.ERROR


@pytest.mark.parametrize(
    "how",
    [
        "[say('a line') for _ in range(100000)]",
        "[console().print('a line') for _ in range(100000)]",
        "print('x' * 1000), exit(0)",
    ],
)
def test_a_reader_that_leaves_ends_the_command_quietly(how: str) -> None:
    program = f"{SPEAKING}status.latest_run = lambda target: ({how}); main.main(['status'])"
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait() == ExitCode.BROKEN_PIPE
