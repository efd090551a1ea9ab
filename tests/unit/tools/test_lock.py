"""`make lock` renews the base image and the files that come from elsewhere, or leaves them and says so."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tools import lock, pins, registry

OLD = "sha256:" + "0" * 64
INDEX = {
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": [
        {"platform": {"os": "linux", "architecture": each}} for each in ("amd64", "arm64", "s390x", "unknown")
    ],
}
WHEEL = "torch-2.12.1%2Bcpu-cp312-cp312-manylinux_2_28_{}.whl"


class Server(ThreadingHTTPServer):
    """A registry that wants an anonymous token, and PyTorch's index beside it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.index = json.dumps(INDEX).encode()
        self.kind = INDEX["mediaType"]
        self.page = ""
        self.host = f"127.0.0.1:{self.server_port}"

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.index).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path.startswith("/token?"):
            allowed = "service=here" in self.path and "scope=repository" in self.path
            self._answer(200 if allowed else 403, b'{"token": "anybody"}', "application/json")
        elif self.path == "/whl/torch/":
            self._answer(200, self.server.page.encode(), "text/html")
        elif self.headers.get("Authorization") != "Bearer anybody":
            scope = f'realm="http://{self.server.host}/token",service="here",scope="repository:docker/python:pull"'
            self._answer(401, b"{}", "application/json", {"WWW-Authenticate": f"Bearer {scope}"})
        elif self.path == "/v2/docker/python/manifests/3.12-slim":
            self._answer(200, self.server.index, str(self.server.kind))
        else:
            self._answer(404, b"{}", "application/json")

    def _answer(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def image(server: Server) -> registry.Reference:
    return registry.Reference(server.host, "docker/python", "3.12-slim", OLD)


@pytest.fixture
def dockerfiles(
    tmp_path: Path, image: registry.Reference, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Path]:
    paths = (tmp_path / "one", tmp_path / "two")
    for path in paths:
        index = f"ARG TORCH_INDEX_URL=http://{image.registry}/whl\n"
        path.write_text(f"# base\nARG BASE_IMAGE={image}\nFROM ${{BASE_IMAGE}}\n{index}")
    monkeypatch.setattr(lock, "DOCKERFILES", paths)
    return paths


def torch_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str) -> Path:
    """A file of PyTorch without CUDA at 2.12.1, beside a laptop that has the version `locked`."""
    path, laptop = tmp_path / "torch-cpu.txt", tmp_path / "laptop.txt"
    path.write_text(f"{pins.Pin('torch', '2.12.1', '', (OLD,))}\n")
    laptop.write_text(f"{pins.Pin('torch', locked, '', (OLD,))}\n")
    monkeypatch.setattr(pins, "TORCH_CPU", (path,))
    monkeypatch.setattr(pins, "LAPTOP", laptop)
    return path


def test_the_digest_of_a_tag_is_that_of_its_index(server: Server, image: registry.Reference) -> None:
    assert registry.digest(image) == server.digest


def test_an_image_without_arm64_is_not_taken(server: Server, image: registry.Reference) -> None:
    server.index = json.dumps({**INDEX, "manifests": INDEX["manifests"][:1]}).encode()
    with pytest.raises(registry.NoDigest, match="arm64"):
        registry.digest(image)


def test_an_image_of_one_architecture_is_not_taken(server: Server, image: registry.Reference) -> None:
    server.kind = "application/vnd.oci.image.manifest.v1+json"
    with pytest.raises(registry.NoDigest, match="one architecture"):
        registry.digest(image)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "registry.invalid"])
def test_a_registry_that_does_not_answer_is_named(host: str) -> None:
    with pytest.raises(registry.NoDigest, match=f"{host} did not answer"):
        registry.digest(registry.Reference(host, "docker/python", "3.12-slim"))


def test_a_name_is_read_as_it_is_written() -> None:
    text = f"public.ecr.aws/docker/library/python:3.12-slim@{OLD}"
    read = registry.Reference.parse(text)
    assert (read.registry, read.repository, read.tag, read.digest) == (
        "public.ecr.aws",
        "docker/library/python",
        "3.12-slim",
        OLD,
    )
    assert str(read) == text


def test_the_base_of_all_images_is_renewed_once(server: Server, dockerfiles: tuple[Path, Path]) -> None:
    before = dockerfiles[0].read_text()
    assert lock._base_image() == list(dockerfiles)
    assert dockerfiles[0].read_text() == before.replace(OLD, server.digest) == dockerfiles[1].read_text()
    assert lock._base_image() == []


def test_a_tag_without_a_digest_gets_one(server: Server, dockerfiles: tuple[Path, Path]) -> None:
    for path in dockerfiles:
        path.write_text(path.read_text().replace(f"@{OLD}", ""))
    lock._base_image()
    assert lock.base_image().digest == server.digest


def test_the_base_stays_where_no_registry_answers(
    server: Server, dockerfiles: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    server.index = b"no JSON"
    before = [path.read_text() for path in dockerfiles]
    assert lock._base_image() == []
    assert [path.read_text() for path in dockerfiles] == before
    assert OLD in capsys.readouterr().err


def test_pytorchs_hashes_are_read_from_its_own_index(
    server: Server, dockerfiles: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = torch_cpu(tmp_path, monkeypatch, "2.12.1")
    wanted = {"x86_64": "a" * 64, "aarch64": "b" * 64}
    others = ["torch-2.12.1-cp312-none-macosx_11_0_arm64.whl", "torch-2.12.1%2Bcpu-cp312-cp312-win_amd64.whl"]
    others += [
        WHEEL.format("x86_64").replace("cp312", "cp311"),
        WHEEL.format("x86_64").replace("2.12.1", "2.12.10"),
    ]
    named = [
        *((WHEEL.format(each), digest) for each, digest in wanted.items()),
        *((each, "c" * 64) for each in others),
    ]
    server.page = "\n".join(f'<a href="/whl/{file}#sha256={digest}">x</a><br/>' for file, digest in named)
    assert lock._torch_cpu() == [path]
    assert [pin.hashes for pin in pins.read(path)] == [("sha256:" + "a" * 64, "sha256:" + "b" * 64)]
    assert lock._torch_cpu() == []


def test_pytorchs_hashes_stay_where_its_index_does_not_have_them(
    dockerfiles: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = torch_cpu(tmp_path, monkeypatch, "2.12.1")
    before = path.read_text()
    assert lock._torch_cpu() == []
    assert path.read_text() == before


def test_a_new_pytorch_whose_hashes_cannot_be_had_is_an_error(
    dockerfiles: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch_cpu(tmp_path, monkeypatch, "2.13.0")
    with pytest.raises(lock.LockError, match=r"2\.13\.0"):
        lock._torch_cpu()


def test_nothing_is_written_when_the_packages_cannot_be_resolved(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(lock, "_UV", (sys.executable, "-c", "raise SystemExit('no such version')"))
    monkeypatch.setattr(lock, "_write", lambda path, text: written.append(path))
    assert lock.main([]) == 1
    assert written == []
    assert "no such version" in capsys.readouterr().err
