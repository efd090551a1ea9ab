"""What the server refuses before anything is started."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local_aws.__main__ import main
from local_aws.core.logs import LogWriter
from local_aws.server import CannotStartError, Settings, claim
from local_aws.testing.local_server import free_port


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_nearly_full_disk_is_refused_with_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10 << 30, 10 << 30, 12 << 20))
    with pytest.raises(CannotStartError, match=r"only 12 MiB are free .* and 1024 are needed; make room"):
        claim(Settings(free_port(), tmp_path / "state"))


def test_a_claimed_state_folder_is_free_again_when_the_lock_is_closed(tmp_path: Path) -> None:
    settings = Settings(free_port(), tmp_path / "state")
    lock = claim(settings)
    with pytest.raises(CannotStartError, match="in use by another server"):
        claim(settings)
    lock.close()
    claim(settings).close()


def test_the_lock_says_who_holds_it(tmp_path: Path) -> None:
    settings = Settings(free_port(), tmp_path / "state", "what it runs")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "server.lock").write_text("what a former server left, however long that was " * 9)
    with claim(settings):
        said = json.loads((tmp_path / "state" / "server.lock").read_text())
        assert said == {"pid": os.getpid(), "port": settings.port, "label": "what it runs"}


def test_who_only_looks_at_the_lock_stops_no_server_from_starting(tmp_path: Path) -> None:
    settings = Settings(free_port(), tmp_path / "state")
    claim(settings).close()
    with (tmp_path / "state" / "server.lock").open() as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        threading.Timer(0.2, fcntl.flock, (look, fcntl.LOCK_UN)).start()
        claim(settings).close()


def test_a_state_folder_moved_away_while_it_is_claimed_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, flock = Settings(free_port(), tmp_path / "state"), fcntl.flock
    away = iter([tmp_path / "away"])

    def moved(lock: Any, how: int) -> None:
        for place in away:
            settings.state.rename(place)
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", moved)
    with claim(settings) as lock:
        assert os.path.samestat(os.fstat(lock.fileno()), (settings.state / "server.lock").stat())


@pytest.mark.parametrize("there", [False, True])
def test_the_state_is_its_owner_s_alone(there: bool, tmp_path: Path) -> None:
    if there:
        (tmp_path / "state").mkdir(mode=0o755)
    with claim(Settings(free_port(), tmp_path / "state")):
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "state" / "server.lock").stat().st_mode) == 0o600


def test_a_lock_that_cannot_be_written_is_no_start(tmp_path: Path) -> None:
    (tmp_path / "state" / "server.lock").mkdir(parents=True)
    with pytest.raises(CannotStartError, match="cannot be used"):
        claim(Settings(free_port(), tmp_path / "state"))


def test_a_state_folder_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "--state" in capsys.readouterr().err


class Logs:
    """CloudWatch Logs as `LogWriter` calls it."""

    class exceptions:
        class ResourceAlreadyExistsException(Exception):
            pass

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.lines: list[str] = []
        self.broken = False

    def create_log_group(self, **names: str) -> None:
        self.calls.append(names["logGroupName"])
        raise self.exceptions.ResourceAlreadyExistsException

    def create_log_stream(self, **names: str) -> None:
        self.calls.append(names["logStreamName"])

    def put_log_events(self, logEvents: list[dict[str, Any]], **names: str) -> None:
        if self.broken:
            raise ConnectionError
        assert 0 < len(logEvents) <= 10_000
        assert sum(len(event["message"].encode()) + 26 for event in logEvents) <= 1024 * 1024
        self.lines += [event["message"] for event in logEvents]


def test_a_log_keeps_its_lines_in_order_and_close_sends_the_last() -> None:
    logs = Logs()
    with closing(LogWriter(logs, "/group", "stream")) as writer:
        for number in range(1200):
            writer.write(f"line {number}\n")
        writer.write("\n")
    assert logs.calls == ["/group", "stream"]
    assert logs.lines == [f"line {number}" for number in range(1200)]


def test_long_lines_go_in_requests_that_are_not_too_large() -> None:
    logs = Logs()
    with closing(LogWriter(logs, "/group", "stream")) as writer:
        for _ in range(9):
            writer.write("é" * 100_000)
        writer.write("é" * 200_000)
    assert [len(line) for line in logs.lines] == [100_000] * 9 + [(256 * 1024 - 26) // 2]


def test_a_log_that_cannot_be_sent_does_not_break_what_it_logs() -> None:
    logs = Logs()
    logs.broken = True
    with closing(LogWriter(logs, "/group", "stream")) as writer:
        writer.write("lost")
    assert logs.lines == []
