"""Small real pictures, and a target whose AWS is whatever a test hands it."""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from cli import console
from cli.data.folder import Dataset, assign, examine
from cli.target import Target
from contract.datasets.manifest import Picture


def png(seed: int, size: int = 8) -> bytes:
    """A small picture of noise, another for every seed."""
    noise = random.Random(seed).randbytes(size * size)
    out = io.BytesIO()
    Image.frombytes("L", (size, size), noise).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[dict[str, int]], Path]:
    """Makes a folder from {"train/ant": 3, ...}: that many different pictures in each subfolder."""

    def make(counts: dict[str, int]) -> Path:
        root = tmp_path / "pictures"
        seed = 0
        for place, count in counts.items():
            (root / place).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                seed += 1
                (root / place / f"{number}.png").write_bytes(png(seed))
        return root

    return make


def dataset_of(
    folder: Path,
    before: Iterable[Picture] = (),
    on_checked: Callable[[int, int], None] = lambda done, total: None,
) -> Dataset:
    """The dataset that a folder becomes."""
    return assign(examine(folder, on_checked), before)


class FakeTarget(Target):
    """A Target whose clients are given objects."""

    def client(self, service: str, **config: Any) -> Any:
        return self.__dict__["clients"][service]

    def account(self) -> str:
        return "000000000000"

    @property
    def root_key(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": "LOCALAWSKEY", "AWS_SECRET_ACCESS_KEY": "the secret"}


@pytest.fixture
def target(tmp_path: Path) -> Callable[..., Target]:
    """Makes a local target with the given clients by service name."""

    def make(kind: str = "local", **clients: Any) -> Target:
        made = FakeTarget(kind=kind, project="classifier", root=tmp_path, home=tmp_path / "home", port=4740)
        made.__dict__["clients"] = {name.replace("_", "-"): client for name, client in clients.items()}
        return made

    return make


def client_error(code: str, message: str = "no", operation: str = "Do") -> Exception:
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Terminal(CliRunner):
    """A runner whose standard input is a terminal, where a question can be answered."""

    @contextmanager
    def isolation(self, *arguments: Any, **more: Any) -> Iterator[Any]:
        with super().isolation(*arguments, **more) as streams:
            sys.stdin.isatty = lambda: True  # type: ignore[method-assign]
            yield streams


class Paginated(SimpleNamespace):
    """A client of which `get_paginator(name)` gives pages from the attribute `<name>_pages`."""

    def get_paginator(self, name: str) -> Any:
        pages = getattr(self, f"{name}_pages")
        return SimpleNamespace(paginate=lambda **arguments: pages(**arguments))


@pytest.fixture(autouse=True)
def a_console_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The console is made once in a process, as wide as the terminal is then: not so for each test."""
    monkeypatch.delenv("COLUMNS", raising=False)
    console._console.cache_clear()
    yield
    console._console.cache_clear()
