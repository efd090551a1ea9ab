"""The local AWS is started once, stopped whole, and a taken port is said. A small stand-in plays the server:
what is claimed here is the command's handling of processes, the real server has its own tests."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli import server_lock
from cli.deploy.bring_up import start_local_aws
from cli.errors import CliError, LocalAwsFailed, NotUp, PortTaken
from cli.files import HomeUnusable
from cli.local import code as local_code
from cli.local import server as local_server
from cli.local.listener import Listener
from cli.target import Target
from tests.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[4]
STAND_IN = '''
import fcntl, http.server, json, os, pathlib, subprocess, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
port, state = int(options["--port"]), pathlib.Path(options["--state"])
state.mkdir(parents=True, exist_ok=True)
if (state / "broken").exists():
    sys.exit("the state cannot be read")
lock = (state / "server.lock").open("a+")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    sys.exit("in use by another server")
lock.truncate(0)
lock.write(json.dumps({"pid": os.getpid(), "port": port, "label": options.get("--label", "")}))
lock.flush()
(state / "root-credentials.json").write_text('{"AccessKeyId": "LOCALAWS", "SecretAccessKey": "secret"}')
os.close(int(options["--release"]))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
(state / "child").write_text(str(child.pid))
ANSWER = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::000000000000:root</Arn><UserId>0</UserId><Account>000000000000</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
'''


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Target]:
    (tmp_path / "local_aws" / "src").mkdir(parents=True)
    (tmp_path / "local_aws" / "__init__.py").touch()  # a bare folder would lose against the real package
    (tmp_path / "local_aws" / "__main__.py").write_text(STAND_IN)
    target = Target("local", "classifier", tmp_path, tmp_path / "home", free_port())
    yield target
    local_server.stop(target)


def child_of(target: Target) -> int:
    return int((server_lock.state_dir(target.home) / "child").read_text())


def running(target: Target) -> server_lock.Server | None:
    return server_lock.holder(target.home)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_it_is_started_once_and_stopped_with_all_it_started(local: Target) -> None:
    assert local_server.start(local) is True
    record = running(local)
    assert record is not None
    assert local_server.start(local) is False
    assert running(local) == record
    child = child_of(local)
    assert alive(child)
    assert local_server.stop(local) is True
    assert not alive(record.pid)
    assert not alive(child)
    assert local_server.stop(local) is False


def test_a_port_taken_by_something_else_is_said_with_another_to_use(local: Target) -> None:
    with http.server.HTTPServer(("127.0.0.1", local.port), http.server.BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(PortTaken, match=f"CLASSIFIER_PORT={local.port + 1}"):
            local_server.start(local)
        other.shutdown()


def test_a_server_that_dies_while_starting_leaves_its_last_words(local: Target) -> None:
    server_lock.state_dir(local.home).mkdir(parents=True)
    (server_lock.state_dir(local.home) / "broken").touch()
    with pytest.raises(LocalAwsFailed, match="the state cannot be read"):
        local_server.start(local)
    assert running(local) is None


def test_an_interrupted_start_leaves_no_process(local: Target) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local_server.start(local, interrupt)
    assert running(local) is None
    assert local_server.who_listens(local) is Listener.NOBODY


def test_the_same_state_is_not_served_on_two_ports(local: Target) -> None:
    local_server.start(local)
    elsewhere = Target(local.kind, local.project, local.root, local.home, free_port())
    with pytest.raises(PortTaken, match=f"already up on port {local.port}"):
        local_server.start(elsewhere)


def test_a_recycled_process_id_is_not_taken_for_the_server(local: Target) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        server_lock.state_dir(local.home).mkdir(parents=True)
        record = {"pid": stranger.pid, "port": local.port, "label": ""}
        server_lock.path(local.home).write_text(json.dumps(record))
        assert local_server.stop(local) is False
        # Nor in the moment in which a new server has taken the lock and not yet written into it.
        with server_lock.path(local.home).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(LocalAwsFailed, match=f"names the process {stranger.pid}"):
                local_server.stop(local)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_step_of_the_clock_hides_no_server(local: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    local_server.start(local)
    server, child = running(local), child_of(local)
    assert server is not None
    booted = psutil.boot_time()
    # By this much processes seem to have begun later: what psutil tells moves with the wall clock.
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + 3600.0)
    assert local_server.start(local) is False
    assert local_server.stop(local) is True
    assert not alive(server.pid)
    assert not alive(child)


def test_what_cannot_be_written_leaves_no_server_that_nobody_knows(local: Target) -> None:
    (local.home / "aws.json").mkdir(parents=True)  # where the server used to be written down
    (local.home / "aws.log").mkdir()
    with pytest.raises(CliError, match=r"aws\.log cannot be written"):
        local_server.start(local)
    assert local_server.who_listens(local) is Listener.NOBODY
    (local.home / "aws.log").rmdir()
    local_server.start(local)
    assert local_server.stop(local) is True
    assert local_server.who_listens(local) is Listener.NOBODY


def test_a_home_that_is_no_folder_is_said(local: Target) -> None:
    local.home.write_text("")
    with pytest.raises(HomeUnusable, match="CLASSIFIER_HOME"):
        local_server.start(local)


def command(target: Target, code: str) -> subprocess.Popen[str]:
    """A command of its own process: `code` with `local_server`, `target` and `tick`."""
    lines = [
        "import pathlib, sys",
        "from cli import interrupt",
        "from cli.local import server as local_server",
        "from cli.target import Target",
        f"target = Target('local', 'classifier', pathlib.Path({str(target.root)!r}), "
        f"pathlib.Path({str(target.home)!r}), {target.port})",
        "tick = lambda: print('starting', flush=True)",
        "interrupt.treat_as_interrupt()",
        code,
    ]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def servers(target: Target) -> list[int]:
    """The stand-ins of this target that run, whoever knows of them."""
    mine = str(server_lock.state_dir(target.home))
    return [each.pid for each in psutil.process_iter(["cmdline"]) if mine in (each.info["cmdline"] or ())]


def test_of_two_starts_at_once_the_second_waits_and_finds_it_up(local: Target) -> None:
    slow = local.root / "local_aws" / "__main__.py"
    slow.write_text(f"import time; time.sleep(2)\n{STAND_IN}")
    first = command(local, "print(local_server.start(target, tick))")
    assert first.stdout is not None
    assert first.stdout.readline() == "starting\n"
    second = command(local, "print(local_server.start(target, tick))")
    told = [each.communicate(timeout=60)[0].split("\n") for each in (first, second)]
    assert told[0][-2] == "True"
    assert told[1][-2] == "False"
    assert "waiting for it" in told[1][0]
    assert len(servers(local)) == 1


def test_a_stop_waits_for_a_start_and_leaves_nothing(local: Target) -> None:
    slow = local.root / "local_aws" / "__main__.py"
    slow.write_text(f"import time; time.sleep(2)\n{STAND_IN}")
    first = command(local, "local_server.start(target, tick)")
    assert first.stdout is not None
    first.stdout.readline()
    assert local_server.stop(local) is True
    first.communicate(timeout=60)
    assert servers(local) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_twice_while_it_starts_leaves_nothing(local: Target, number: signal.Signals) -> None:
    slow = local.root / "local_aws" / "__main__.py"
    # One which needs a while to end, too: the second Ctrl-C comes during the cleaning up.
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: time.sleep(1) or sys.exit())"
    slow.write_text(f"import sys\n{stubborn}\ntime.sleep(600)\n{STAND_IN}")
    up = command(local, "local_server.start(target, tick)")
    assert up.stdout is not None
    up.stdout.readline()
    assert len(servers(local)) == 1
    up.send_signal(number)
    time.sleep(0.3)
    up.send_signal(number)
    up.communicate(timeout=60)
    assert servers(local) == []


def test_a_killed_command_leaves_a_server_that_the_next_one_knows(local: Target) -> None:
    slow = local.root / "local_aws" / "__main__.py"
    slow.write_text(f"import time; time.sleep(2)\n{STAND_IN}")
    up = command(local, "local_server.start(target, tick)")
    assert up.stdout is not None
    up.stdout.readline()
    up.kill()
    up.communicate()
    assert local_server.stop(local) is True  # though it has not taken its lock yet
    assert servers(local) == []


def test_after_a_kill_it_starts_again(local: Target) -> None:
    local_server.start(local)
    record = running(local)
    assert record is not None
    child = child_of(local)
    os.kill(record.pid, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    assert local_server.start(local) is True


def test_up_starts_it_anew_when_its_code_has_changed_and_not_otherwise(
    local: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local_code, "work", lambda _: [])
    assert start_local_aws(local) is True
    first = running(local)
    assert start_local_aws(local) is False
    assert running(local) == first
    (local.root / "local_aws" / "src" / "new.py").write_text("1")
    # Not one that this command brought up: Ctrl-C leaves it running.
    assert start_local_aws(local) is False
    second = running(local)
    assert first is not None
    assert second is not None
    assert second.pid != first.pid
    assert "restarted with this checkout's code" in capsys.readouterr().out
    assert not local_server.outdated(local)


def test_while_it_works_it_keeps_its_old_code_and_up_says_so(
    local: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local_code, "work", lambda _: ["classifier-search"])
    local_server.start(local)
    first = running(local)
    (local.root / "local_aws" / "src" / "new.py").write_text("1")
    start_local_aws(local)
    assert running(local) == first
    told = " ".join(capsys.readouterr().out.split())
    assert "other code than this checkout's: it works on classifier-search" in told


def test_wiping_removes_the_state(local: Target) -> None:
    local_server.start(local)
    local_server.stop(local)
    local_server.wipe(local)
    assert not server_lock.state_dir(local.home).exists()


def test_the_state_of_a_running_server_is_not_removed(local: Target) -> None:
    local_server.start(local)
    with pytest.raises(LocalAwsFailed, match="so its state was not removed"):
        local_server.wipe(local)
    assert (server_lock.state_dir(local.home) / "child").exists()


def test_a_server_that_starts_while_the_state_is_removed_gets_a_new_one(
    local: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_server.start(local)
    local_server.stop(local)
    removed: list[Path] = []

    def start_meanwhile(path: Path) -> None:
        removed.append(path)
        server_lock.state_dir(local.home).mkdir()
        (server_lock.state_dir(local.home) / "new").touch()

    monkeypatch.setattr(shutil, "rmtree", start_meanwhile)
    local_server.wipe(local)
    assert [path.name.startswith("aws.removed-") for path in removed] == [True]
    assert (server_lock.state_dir(local.home) / "new").exists()


def test_another_checkout_s_local_aws_is_told_from_ours(local: Target) -> None:
    local_server.start(local)
    assert local_server.who_listens(local) is Listener.US
    other = Target("local", "classifier", local.root, local.root / "other", local.port)
    assert local_server.who_listens(other) is Listener.ANOTHER
    with pytest.raises(PortTaken, match="another checkout's local AWS"):
        local_server.start(other)
    with pytest.raises(NotUp, match="make up"):
        other.client("sts")
    assert local_server.stop(other) is False
    local_server.wipe(other)
    assert running(local) is not None


def test_the_home_and_its_log_are_the_owner_s_alone(local: Target) -> None:
    local.home.mkdir(mode=0o755)
    (local.home / "aws.log").touch(mode=0o644)
    local_server.start(local)
    assert local.home.stat().st_mode & 0o077 == 0
    assert (local.home / "aws.log").stat().st_mode & 0o077 == 0
