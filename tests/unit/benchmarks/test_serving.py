"""The serving benchmark: its load generator counts real answers, its summary tells what was measured."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import serving, serving_measured
from benchmarks.serving_load import Connection, Measured, Target, closed_loop, open_loop


class Endpoint:
    """Answers every third request with 503, every tenth by closing the connection behind the answer."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.split("Content-Length: ")[1].split("\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                count = len(self.bodies)
                status = "503 Busy" if count % 3 == 0 else "200 OK"
                closing = "connection: close\r\n" if count % 10 == 0 else ""
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\n{closing}\r\n{{}}".encode())
                if closing:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def test_every_answer_is_counted_by_its_status_over_closed_connections_too() -> None:
    async def run() -> tuple[Measured, Measured, Endpoint]:
        endpoint = Endpoint()
        server = await asyncio.start_server(endpoint, "127.0.0.1", 0)
        target = Target(server.sockets[0].getsockname()[1], "/")
        closed = await closed_loop(target, [b"a", b"bb"], 4, requests=30)
        opened = await open_loop(target, [b"a"], rate=300, seconds=0.1, connections=30)
        server.close()
        return closed, opened, endpoint

    closed, opened, endpoint = asyncio.run(run())
    assert closed.statuses == {200: 20, 503: 10}
    assert closed.errors == 10
    assert len(closed.accepted) == 20
    assert opened.statuses.total() + opened.failures.total() == 30
    assert set(endpoint.bodies) == {b"a", b"bb"}


def test_a_connection_that_the_server_closed_while_it_was_idle_is_opened_anew() -> None:
    async def run() -> tuple[Measured, int]:
        opened: list[asyncio.StreamWriter] = []

        async def closes_without_a_word(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            opened.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(closes_without_a_word, "127.0.0.1", 0)
        connection, measured = Connection(Target(server.sockets[0].getsockname()[1], "/")), Measured()
        for _ in range(2):
            measured.statuses[(await connection.send(b"POST / HTTP/1.1\r\n\r\n"))[0]] += 1
            assert connection._streams is not None
            await asyncio.wait_for(connection._streams[0].read(), 120)
        server.close()
        return measured, len(opened)

    measured, connections = asyncio.run(run())
    assert measured.statuses == {200: 2}
    assert connections == 2


def test_what_was_neither_answered_nor_shed_in_an_overload_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def overload(*_: Any) -> Measured:
        failures = Counter({"ConnectionResetError": 2, "no connection free": 1})
        return Measured(10.0, Counter({200: 90, 503: 400, 429: 5, 504: 3}), [0.1] * 90, failures)

    async def after(*_: Any, **__: Any) -> Measured:
        return Measured(1.0, Counter({200: 20}), [0.01] * 20)

    monkeypatch.setattr(serving_measured, "open_loop", overload)
    monkeypatch.setattr(serving_measured, "closed_loop", after)
    server: Any = SimpleNamespace(target=None)
    found = asyncio.run(serving_measured._overloaded(server, [b""], 50.0))
    assert found["overload_shed"] == 405
    assert found["overload_other"] == 6
    assert found["overload_other_kinds"] == {"ConnectionResetError": 2, "no connection free": 1, "504": 3}
    assert found["overload_sent_per_second"] == pytest.approx(50.1)


def test_of_two_servers_in_turns_the_ratios_are_those_of_neighbouring_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The machine is half as quick in every other turn: that is no difference between the two."""
    windows = iter(range(1000))

    async def window(target: int, _: Any, clients: int, *, seconds: float) -> Measured:
        slower = 1 + next(windows) // 4 % 2
        times = {"ours": 0.010, "toolkit": 0.055}[str(target)] * slower
        return Measured(seconds, Counter({200: int(seconds * clients / times)}), [times])

    monkeypatch.setattr(serving_measured, "closed_loop", window)
    servers: Any = [SimpleNamespace(target=name) for name in ("ours", "toolkit")]
    turns = asyncio.run(serving_measured._in_turns(servers, [b""], 100.0, lambda what, _: float(len(what))))
    assert [turn.p50 for turn in turns] == pytest.approx([5.5] * serving_measured.TURNS)
    ratios = [turn.mine / turn.its for turn in turns]
    assert ratios == pytest.approx([5.5] * serving_measured.TURNS, rel=1e-3)
    assert sorted({round(turn.mine) for turn in turns}) == [800, 1600]
    assert (turns[0].network, turns[0].functions) == (7.0, 9.0)


def row(system: str, **figures: Any) -> dict[str, Any]:
    figures = {"p50_1": 10.0, "rps_16": 100.0} | figures
    return (
        dict.fromkeys(serving.COMPARED, 1.0)
        | {"system": system, "arch": "resnet18", "overhead_ms": 0.5}
        | figures
    )


def test_the_summary_names_where_a_peer_is_ahead_and_who_did_not_run() -> None:
    ours, toolkit = row("ours"), row("toolkit", p50_1=50.0, rps_16=20.0)
    absent = row("bentoml") | dict.fromkeys(serving.COMPARED)
    summary = serving._summary([ours, toolkit, absent])
    assert summary["ahead_of_every_peer_that_ran"]
    assert summary["did_not_run"] == "resnet18 bentoml"
    behind = serving._summary([ours, row("litserve", memory_mb=0.5)])
    assert behind["behind_in"] == "resnet18 litserve memory_mb"
    assert not behind["ahead_of_every_peer_that_ran"]
