"""Claims about containers as processes: what they see, how they end, and that none outlives the server."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local_aws.core import process


@dataclass(frozen=True)
class Program:
    """An image whose command is a piece of Python."""

    root: Path
    code: str
    env: dict[str, str] = field(default_factory=dict)
    cmd: tuple[str, ...] = ()

    @property
    def entrypoint(self) -> tuple[str, ...]:
        return (sys.executable, "-c", textwrap.dedent(self.code))

    @property
    def workdir(self) -> Path:
        return self.root


class Lines(list[str]):
    def write(self, line: str) -> None:
        self.append(line)


@pytest.fixture(autouse=True)
def begun(tmp_path: Path) -> Iterator[None]:
    process.begin(tmp_path / "pids")
    yield
    process.begin(tmp_path / "pids")


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for something another process does; fails loudly instead of hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run(program: Program, *args: str, env: dict[str, str] | None = None) -> tuple[int | None, Lines]:
    lines = Lines()
    handle = process.start(program, args, env or {}, program.root / "ml", lines.write)
    return handle.wait(20), lines


def test_a_process_sees_its_arguments_its_environment_and_its_base_folder(tmp_path: Path) -> None:
    code = (
        "import os, sys; print(*sys.argv[1:], *map(os.environ.get, ('SAGEMAKER_BASE_DIR', 'A')), os.getcwd())"
    )
    exit_code, lines = run(Program(tmp_path, code, env={"A": "image"}), "train", env={"A": "job"})
    assert (exit_code, lines) == (0, [f"train {tmp_path / 'ml'} job {tmp_path}"])


def test_a_path_of_the_image_below_opt_ml_leads_into_the_base_folder(tmp_path: Path) -> None:
    program = Program(
        tmp_path, "import os; print(os.environ['A'])", env={"A": "/opt/ml/code:/opt/mlx:/opt/ml"}
    )
    base = tmp_path / "ml"
    assert run(program)[1] == [f"{base}/code:/opt/mlx:{base}"]


@pytest.mark.parametrize(("driver", "told"), [(False, "void"), (True, "all")])
def test_an_image_for_a_gpu_is_told_when_this_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: bool, told: str
) -> None:
    monkeypatch.setattr(process, "NVIDIA_DRIVER", tmp_path if driver else tmp_path / "none")
    code = "import os; print(os.environ['NVIDIA_VISIBLE_DEVICES'])"
    assert run(Program(tmp_path, code, env={"NVIDIA_VISIBLE_DEVICES": "all"})) == (0, [told])


def test_a_process_does_not_see_the_credentials_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the server")
    _, lines = run(Program(tmp_path, "import os; print(os.environ.get('AWS_SECRET_ACCESS_KEY'))"))
    assert lines == ["None"]


def test_a_process_that_is_given_a_proxy_reaches_this_machine_past_it(tmp_path: Path) -> None:
    code = (
        "import urllib.request as r; print(*map(r.proxy_bypass, ('127.0.0.1:4566', 'a.example', 'pypi.org')))"
    )
    given = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "a.example"}
    _, lines = run(Program(tmp_path, code), env=given)
    assert [bool(eval(each)) for each in lines[0].split()] == [True, True, False]


def test_without_arguments_the_images_own_command_is_run(tmp_path: Path) -> None:
    _, lines = run(Program(tmp_path, "import sys; print(sys.argv[1:])", cmd=("serve",)))
    assert lines == ["['serve']"]


def test_both_output_streams_arrive_line_by_line_whatever_bytes_they_hold(tmp_path: Path) -> None:
    code = r"""
        import os
        os.write(1, b"caf\xc3\xa9\r\n\xff\xfe broken\n")
        os.write(2, b"to stderr\n" + b"x" * 150_000)
    """
    _, lines = run(Program(tmp_path, code))
    assert lines[:3] == ["café", "\ufffd\ufffd broken", "to stderr"]
    assert [len(line) for line in lines[3:]] == [60_000, 60_000, 30_000]


def test_exit_codes_are_told_as_docker_tells_them(tmp_path: Path) -> None:
    assert run(Program(tmp_path, "raise SystemExit(3)"))[0] == 3
    assert run(Program(tmp_path, "import os; os.kill(os.getpid(), 9)"))[0] == 137


def test_terminate_lets_a_process_finish_in_its_own_way(tmp_path: Path) -> None:
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: (print("saving"), exit(0)))
        print("ready")
        while True: time.sleep(0.05)
    """
    lines = Lines()
    handle = process.start(Program(tmp_path, code), (), {}, tmp_path, lines.write)
    until(lambda: "ready" in lines)
    assert handle.terminate(grace=20) == 0
    assert lines == ["ready", "saving"]


def test_terminate_kills_what_ignores_it(tmp_path: Path) -> None:
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready")
        while True: time.sleep(0.05)
    """
    lines = Lines()
    handle = process.start(Program(tmp_path, code), (), {}, tmp_path, lines.write)
    until(lambda: "ready" in lines)
    assert handle.terminate(grace=0.2) == 137


def test_children_which_a_process_leaves_behind_end_with_it(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)"
    exit_code, lines = run(Program(tmp_path, code))
    assert exit_code == 0
    until(lambda: not alive(int(lines[0])))


SERVER = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
sys.path[:0] = {path!r}
from local_aws.core import process
from test_process import Lines, Program
process.begin(Path({pids!r}))
lines = Lines()
code = "import subprocess, time; print(subprocess.Popen(['sleep', '1000']).pid); time.sleep(1000)"
handle = process.start(Program(Path({pids!r}), code), (), {{}}, Path({pids!r}), lines.write)
while not lines: time.sleep(0.02)
print(handle.pid, lines[0], process._state._guardian.pid, flush=True)
time.sleep(1000)
"""


def server(pids: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A server with one container which has a child; its pids: container, child, guardian."""
    path = [str(Path(process.__file__).parents[2]), str(Path(__file__).parent)]
    popen = subprocess.Popen(
        [sys.executable, "-c", SERVER.format(path=path, pids=str(pids))], stdout=subprocess.PIPE, text=True
    )
    assert popen.stdout is not None
    return popen, [int(pid) for pid in popen.stdout.readline().split()]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_server_that_is_killed_or_interrupted(tmp_path: Path, how: int) -> None:
    popen, pids = server(tmp_path / "server")
    popen.send_signal(how)
    popen.wait(20)
    until(lambda: not any(alive(pid) for pid in pids))


def test_what_outlived_server_and_guardian_is_killed_when_the_server_starts_again(tmp_path: Path) -> None:
    popen, (container, child, guardian) = server(tmp_path / "server")
    os.kill(guardian, signal.SIGKILL)
    popen.kill()
    popen.wait(20)
    assert alive(container)
    assert alive(child)
    process.begin(tmp_path / "server")
    until(lambda: not alive(container) and not alive(child))
    assert not list((tmp_path / "server").iterdir())


def test_a_stranger_that_got_the_pid_of_a_former_container_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        (tmp_path / "pids" / "old.json").write_text(json.dumps({"pid": stranger.pid, "started": "1"}))
        process.begin(tmp_path / "pids")
        with pytest.raises(subprocess.TimeoutExpired):
            stranger.wait(0.5)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        process.start(Program(tmp_path, ""), (), {}, tmp_path, Lines(), entrypoint=["no-such-program"])
