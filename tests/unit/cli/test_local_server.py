"""The local AWS is started once, stopped whole, and a taken port is said. A small stand-in plays the server:
what is claimed here is the command's handling of processes, the real server has its own tests."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli import local_code, local_server
from cli.bring_up import start_local_aws
from cli.errors import LocalAwsFailed, PortTaken
from cli.target import Target

STAND_IN = '''
import http.server, pathlib, subprocess, sys
port, state = int(sys.argv[2]), pathlib.Path(sys.argv[4])
state.mkdir(parents=True, exist_ok=True)
if (state / "broken").exists():
    sys.exit("the state cannot be read")
(state / "root-credentials.json").write_text('{"AccessKeyId": "LOCALAWS", "SecretAccessKey": "secret"}')
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Target]:
    (tmp_path / "local_aws").mkdir()
    (tmp_path / "local_aws" / "__init__.py").touch()  # a bare folder would lose against the real package
    (tmp_path / "local_aws" / "__main__.py").write_text(STAND_IN)
    target = Target("local", "classifier", tmp_path, tmp_path / "home", free_port())
    yield target
    local_server.stop(target)


def child_of(target: Target) -> int:
    return int((local_server.state_dir(target) / "child").read_text())


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_it_is_started_once_and_stopped_with_all_it_started(local: Target) -> None:
    assert local_server.start(local) is True
    record = local_server.read_record(local)
    assert record is not None
    assert local_server.start(local) is False
    assert local_server.read_record(local) == record
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
    local_server.state_dir(local).mkdir(parents=True)
    (local_server.state_dir(local) / "broken").touch()
    with pytest.raises(LocalAwsFailed, match="the state cannot be read"):
        local_server.start(local)
    assert local_server.read_record(local) is None


def test_an_interrupted_start_leaves_no_process(local: Target) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local_server.start(local, interrupt)
    assert local_server.read_record(local) is None
    assert local_server.who_listens(local) == "nobody"


def test_the_same_state_is_not_served_on_two_ports(local: Target) -> None:
    local_server.start(local)
    elsewhere = Target(local.kind, local.project, local.root, local.home, free_port())
    with pytest.raises(PortTaken, match=f"already up on port {local.port}"):
        local_server.start(elsewhere)


def test_a_recycled_process_id_is_not_taken_for_the_server(local: Target) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        local.home.mkdir()
        record = {"pid": stranger.pid, "started": time.time() - 9999, "port": local.port}
        (local.home / "aws.json").write_text(json.dumps(record))
        assert local_server.stop(local) is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_after_a_kill_it_starts_again(local: Target) -> None:
    local_server.start(local)
    record = local_server.read_record(local)
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
    first = local_server.read_record(local)
    assert start_local_aws(local) is False
    assert local_server.read_record(local) == first
    (local.root / "local_aws" / "new.py").write_text("1")
    # Not one that this command brought up: Ctrl-C leaves it running.
    assert start_local_aws(local) is False
    second = local_server.read_record(local)
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
    first = local_server.read_record(local)
    (local.root / "local_aws" / "new.py").write_text("1")
    start_local_aws(local)
    assert local_server.read_record(local) == first
    told = " ".join(capsys.readouterr().out.split())
    assert "other code than this checkout's: it works on classifier-search" in told


def test_wiping_removes_the_state(local: Target) -> None:
    local_server.start(local)
    local_server.stop(local)
    local_server.wipe(local)
    assert not local_server.state_dir(local).exists()
