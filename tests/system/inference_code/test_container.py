"""The server as SageMaker runs it: a process of its own, spoken to by HTTP, stopped by SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.ports import free_port
from tests.unit.inference_code.artifacts import CLASSES, add_graph, write_artifact
from tests.unit.inference_code.odd_pictures import made_slow
from tests.unit.inference_code.pictures import encoded, no_pictures, scene, sound_pictures

SERVE = [sys.executable, "-m", "inference_code", "serve"]
JPEG = encoded(scene((500, 375)), "JPEG")
CLIENTS = 8


@dataclass(frozen=True)
class Container:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=150)

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        connection = self.connect()
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def classify(self, body: bytes, content_type: str = "image/jpeg") -> tuple[int, dict[str, Any]]:
        connection = self.connect()
        connection.request("POST", "/invocations", body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def wait(self, state: str) -> dict[str, Any]:
        """Until /ping tells of `state`."""
        for _ in range(1200):
            assert self.process.poll() is None, self.log.read_text()
            try:
                answer = self.get("/ping")[1]
            except OSError:
                answer = {"status": "not listening"}
            if answer["status"] == state:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"/ping never said {state}: {self.log.read_text()}")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def settled(self, read: Callable[[], list[Any]], least: int = 0) -> list[Any]:
        """What `read` gives when at least so much is there and no more comes: a line is written behind its
        answer.
        """
        deadline, before = time.monotonic() + 120, None
        while (found := read()) != before or len(found) < least:
            assert time.monotonic() < deadline, f"{len(found)} of {least} lines came"
            before = found
            time.sleep(0.5)
        return found

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def container(base: Path, log: Path, **env: str) -> Iterator[Container]:
    port = free_port()
    settings = {
        "SAGEMAKER_BASE_DIR": str(base),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SERVE_HOST": "127.0.0.1",
    }
    with log.open("wb") as output:
        command = SERVE
        process = subprocess.Popen(command, env=os.environ | settings | env, stdout=output, stderr=output)
    try:
        yield Container(process, port, log)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ml")
    write_artifact(folder / "model")
    return folder


@pytest.fixture(scope="module")
def running(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with container(base, tmp_path_factory.mktemp("log") / "log") as started:
        started.wait("ready")
        yield started


def test_a_picture_is_classified(running: Container) -> None:
    status, answer = running.classify(JPEG)
    assert status == 200
    assert answer["predicted_class"] in CLASSES
    assert len(answer["predictions"]) == len(CLASSES)


def test_a_model_with_a_serving_form_is_served_by_it(tmp_path: Path) -> None:
    add_graph(write_artifact(tmp_path / "model"), "int8")
    with container(tmp_path, tmp_path / "log") as serving:
        serving.wait("ready")
        status, answer = serving.classify(JPEG)
        assert status == 200
        assert answer["predicted_class"] in CLASSES
        (form,) = (line for line in serving.lines() if line["event"] == "form")
        assert (form["form"], form["precision"]) == ("openvino", "int8")
        assert serving.stop() == 0


def test_everything_that_people_send_gets_an_answer_or_its_reason(running: Container) -> None:
    for name, body in sound_pictures().items():
        assert running.classify(body)[0] == 200, name
    for name, (body, code) in no_pictures().items():
        status, answer = running.classify(body, "application/octet-stream")
        assert (status, answer["error"]["code"]) == (400, code), name
    assert running.classify(JPEG, "text/plain")[0] == 415
    assert running.get("/ping")[0] == 200


def test_files_made_to_be_slow_are_refused_and_leave_no_memory_behind(running: Container) -> None:
    memory = psutil.Process(running.process.pid)
    bodies = {name: make() for name, make in made_slow().items()}
    before = memory.memory_info().rss
    for name, body in bodies.items():
        status, answer = running.classify(body)
        assert (status, answer["error"]["code"]) == (400, "UnsupportedImage"), name
    assert memory.memory_info().rss - before < 30_000_000
    assert running.classify(JPEG)[0] == 200


@pytest.mark.skipif("ODD_IMAGES" not in os.environ, reason="ODD_IMAGES names no folder of awkward pictures")
def test_a_folder_of_awkward_pictures_gets_answers_or_reasons(running: Container) -> None:
    statuses = Counter(
        running.classify(path.read_bytes())[0] for path in Path(os.environ["ODD_IMAGES"]).iterdir()
    )
    assert statuses.keys() <= {200, 400}
    assert statuses[200] > 0
    assert running.get("/ping")[0] == 200


def test_a_body_far_above_the_limit_gets_its_answer_instead_of_a_reset(running: Container) -> None:
    status, answer = running.classify(bytes(20_000_000))
    assert (status, answer["error"]["code"]) == (413, "PayloadTooLarge")


def test_bytes_that_are_not_http_do_no_harm(running: Container) -> None:
    for nonsense in (
        b"\x16\x03\x01\x02\x00",
        b"GET /ping\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
            connection.sendall(nonsense)
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
    assert running.classify(JPEG)[0] == 200


def test_the_log_has_one_line_of_json_per_request(running: Container) -> None:
    def requests() -> list[dict[str, Any]]:
        return [line for line in running.lines() if line["event"] == "request"]

    before = running.settled(requests)
    running.classify(JPEG)
    running.classify(b"text")
    good, bad = running.settled(requests, len(before) + 2)[len(before) :]
    assert (good["status"], good["width"], good["height"]) == (200, 500, 375)
    assert (bad["status"], bad["code"]) == (400, "UnsupportedImage")


def test_sigterm_loses_no_request_in_flight(base: Path, tmp_path: Path) -> None:
    with container(base, tmp_path / "log") as serving:
        serving.wait("ready")
        all_sent = threading.Barrier(CLIENTS + 1)
        answers: list[int] = []

        def client() -> None:
            connection = serving.connect()
            for last in (False, False, True):
                connection.request("POST", "/invocations", JPEG, {"Content-Type": "image/jpeg"})
                if last:
                    all_sent.wait(60)
                answer = connection.getresponse()
                answer.read()
                answers.append(answer.status)

        clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in clients:
            thread.start()
        all_sent.wait(60)
        code = serving.stop()
        for thread in clients:
            thread.join(60)
        assert Counter(answers) == {200: 3 * CLIENTS}
        assert code == 0
        assert [line["event"] for line in serving.lines()][-1] == "stopped"


def test_while_it_drains_a_new_connection_is_served_and_told_to_close(base: Path, tmp_path: Path) -> None:
    with container(base, tmp_path / "log") as serving:
        serving.wait("ready")
        connection = serving.connect()
        connection.request("GET", "/ping")
        connection.getresponse().read()
        serving.process.send_signal(signal.SIGTERM)
        seen: HTTPResponse | None = None
        while seen is None or seen.status == 200:  # until the signal has arrived
            connection.request("GET", "/ping")
            seen = connection.getresponse()
            body = json.loads(seen.read())
        assert (body["status"], seen.getheader("Connection")) == ("draining", "close")
        assert serving.process.wait(60) == 0


def test_more_than_it_can_take_is_shed_and_then_all_is_well_again(base: Path, tmp_path: Path) -> None:
    with container(base, tmp_path / "log", SERVE_QUEUE="0") as serving:
        serving.wait("ready")
        answers: list[tuple[int, str | None]] = []
        ready = threading.Barrier(32)

        def client() -> None:
            connection = serving.connect()
            ready.wait(60)
            connection.request("POST", "/invocations", JPEG, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            answer.read()
            answers.append((answer.status, answer.getheader("Retry-After")))

        clients = [threading.Thread(target=client) for _ in range(32)]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join(60)
        counted = Counter(answers)
        assert counted.keys() == {(200, None), (503, "1")}
        assert counted.total() == 32
        assert serving.classify(JPEG)[0] == 200


@pytest.mark.parametrize("damage", ["truncated weights", "missing classes", "another architecture"])
def test_a_damaged_artifact_fails_the_ping_and_is_told_in_the_log(tmp_path: Path, damage: str) -> None:
    folder = write_artifact(
        tmp_path / "model", **{"arch": "resnet34"} if damage.startswith("another") else {}
    )
    if damage == "truncated weights":
        os.truncate(folder / "model.safetensors", 100_000)
    if damage == "missing classes":
        (folder / "classes.json").unlink()
    named = "classes.json" if damage == "missing classes" else "model.safetensors"
    with container(tmp_path, tmp_path / "log") as serving:
        reason = serving.wait("failed")["error"]["message"]
        assert named in reason
        assert serving.classify(JPEG)[0] == 503
        (line,) = (line for line in serving.lines() if line["event"] == "model cannot be loaded")
        assert line["reason"] == reason
        assert "traceback" not in line
        assert serving.stop() == 0
