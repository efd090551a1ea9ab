"""Routing, the HTTP way to a server process, and model data: the parts an endpoint is made of."""

from __future__ import annotations

import asyncio
import io
import tarfile
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.sagemaker.registry import model_data
from local_aws.sagemaker.registry.model_data import ModelDataError
from local_aws.sagemaker.s3_files import S3Uri
from local_aws.sagemaker.serving.router import (
    EndpointNotFoundError,
    FleetRoute,
    NoServerError,
    Router,
    Server,
    VariantNotFoundError,
    VariantRoute,
)
from local_aws.sagemaker.serving.upstream import Answer, Connections, UpstreamError
from unit.hosting_support import archive


def variant(router: Router, name: str, weight: float, servers: int) -> VariantRoute:
    route = VariantRoute(name, weight)
    for number in range(servers):
        router.add(route, Server(1, f"{name}-{number}"))
    return route


def test_the_least_loaded_server_gets_the_next_request() -> None:
    router = Router()
    router.publish("e", [FleetRoute([variant(router, "a", 1, 3)])])
    with router.lease("e") as first, router.lease("e") as second, router.lease("e") as third:
        names = {lease.server.instance_id for lease in (first, second, third)}
        assert names == {"a-0", "a-1", "a-2"}
        assert first.servers == 3
    with router.lease("e") as busy, router.lease("e") as other:
        assert busy.server is not other.server


def test_variants_share_the_traffic_by_weight_and_fleets_by_share() -> None:
    marks = iter(mark / 100 for _ in range(2) for mark in range(100) for _ in range(2))
    router = Router(pick=lambda: next(marks))
    light, heavy = variant(router, "light", 1, 1), variant(router, "heavy", 3, 1)
    router.publish("e", [FleetRoute([light, heavy])])
    seen: Counter[str] = Counter()
    for _ in range(100):
        with router.lease("e") as lease:
            seen[lease.variant] += 1
    assert seen == {"light": 25, "heavy": 75}
    old, new = variant(router, "old", 1, 1), variant(router, "new", 1, 1)
    router.publish("e", [FleetRoute([old], 0.9), FleetRoute([new], 0.1)])
    seen.clear()
    for _ in range(100):
        with router.lease("e") as lease:
            seen[lease.variant] += 1
    assert seen == {"old": 90, "new": 10}


def test_a_variant_without_weight_is_reached_only_by_name() -> None:
    router = Router()
    router.publish("e", [FleetRoute([variant(router, "main", 1, 1), variant(router, "shadow", 0, 1)])])
    for _ in range(50):
        with router.lease("e") as lease:
            assert lease.variant == "main"
    with router.lease("e", "shadow") as lease:
        assert lease.variant == "shadow"


def test_what_cannot_be_routed_is_told_apart() -> None:
    router = Router()
    router.publish("e", [FleetRoute([variant(router, "main", 1, 0)])])
    with pytest.raises(EndpointNotFoundError), router.lease("other"):
        pass
    with pytest.raises(VariantNotFoundError), router.lease("e", "other"):
        pass
    with pytest.raises(NoServerError), router.lease("e"):
        pass


def test_a_server_taken_out_of_the_route_is_idle_only_after_its_last_request() -> None:
    router = Router()
    route = variant(router, "main", 1, 1)
    router.publish("e", [FleetRoute([route])])
    server = route.servers[0]
    idle = threading.Event()

    def drain() -> None:
        if router.drain(server, 30):
            idle.set()

    with router.lease("e"):
        router.remove(route, server)
        waiter = threading.Thread(target=drain)
        waiter.start()
        assert not router.drain(server, 0)
        assert not idle.is_set()
    waiter.join(30)
    assert idle.is_set()


def test_a_request_that_raises_lets_its_server_go() -> None:
    router = Router()
    route = variant(router, "main", 1, 1)
    router.publish("e", [FleetRoute([route])])
    with pytest.raises(ValueError, match="on the way"), router.lease("e"):
        raise ValueError("on the way")
    assert route.servers[0].in_flight == 0


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def ask(serve: Serve, times: int = 1, body: bytes = b"picture") -> list[Answer]:
    """Send requests to a server that behaves as `serve` says, over one `Connections`."""

    async def run() -> list[Answer]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            connections = Connections("127.0.0.1", server.sockets[0].getsockname()[1])
            answers = [await connections.request("POST", "/invocations", {}, body) for _ in range(times)]
            connections.close()
            return answers

    return asyncio.run(asyncio.wait_for(run(), 20))


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")
    )
    return await reader.readexactly(length)


def test_one_connection_serves_many_requests() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            body = await _request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    answers = ask(serve, times=3)
    assert [answer.body for answer in answers] == [b"picture"] * 3
    assert connections == 1


def test_a_connection_closed_while_idle_is_replaced() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    assert [answer.body for answer in ask(serve, times=3)] == [b"ok"] * 3


@given(chunks=st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_chunked_answers_are_put_together(chunks: list[bytes]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Word: a\r\n\r\n")
        for chunk in chunks:
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        writer.write(b"0\r\n\r\n")

    answer = ask(serve)[0]
    assert answer.body == b"".join(chunks)
    assert answer.headers["x-word"] == "a"


@pytest.mark.parametrize(
    "said",
    [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", b"HTTP/1.1 200 O"],
)
def test_an_answer_that_is_none_is_an_upstream_error(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(said)
        await writer.drain()
        writer.close()

    with pytest.raises(UpstreamError):
        ask(serve)


def test_an_early_refusal_of_a_large_body_reaches_the_client() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        await writer.drain()
        while await reader.read(2**20):
            pass
        writer.close()

    answer = ask(serve, body=b"x" * 2**24)[0]
    assert (answer.status, answer.body) == (413, b"big")


def test_nothing_listens() -> None:
    with pytest.raises(UpstreamError):
        asyncio.run(Connections("127.0.0.1", 1).request("POST", "/invocations", {}, b""))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://b/k/model.tar.gz", ("b", "k/model.tar.gz")),
        ("s3://b/odd %20name?#.tar.gz", ("b", "odd %20name?#.tar.gz")),
        ("https://b.s3.us-east-1.amazonaws.com/k%20y", ("b", "k y")),
        ("https://b.s3.amazonaws.com/k", ("b", "k")),
        ("https://s3-us-west-2.amazonaws.com/b/k/l", ("b", "k/l")),
        ("https://s3.us-east-1.amazonaws.com/b/k", ("b", "k")),
    ],
)
def test_the_url_of_an_artifact_names_its_bucket_and_key(url: str, place: tuple[str, str]) -> None:
    assert S3Uri.parse(url) == S3Uri(*place)


def test_an_archive_is_unpacked_into_the_model_folder(tmp_path: Path) -> None:
    source = tmp_path / "model.tar.gz"
    source.write_bytes(archive({"model.json": "{}", "code/inference.py": "pass"}))
    model_data.unpack(source, tmp_path / "model")
    assert (tmp_path / "model/code/inference.py").read_text() == "pass"


@pytest.mark.parametrize("name", ["../outside.txt", "a/../../outside.txt"])
def test_an_archive_may_not_write_outside_the_model_folder(tmp_path: Path, name: str) -> None:
    source = tmp_path / "model.tar.gz"
    source.write_bytes(archive({name: "mine"}))
    with pytest.raises(ModelDataError, match="cannot be unpacked"):
        model_data.unpack(source, tmp_path / "deep" / "model")
    assert not list(tmp_path.rglob("outside.txt"))


def test_an_archive_may_not_write_through_a_link(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
    source = tmp_path / "model.tar.gz"
    source.write_bytes(out.getvalue())
    with pytest.raises(ModelDataError):
        model_data.unpack(source, tmp_path / "model")


@given(noise=st.binary(max_size=300))
def test_noise_is_no_archive(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    folder = tmp_path_factory.mktemp("noise")
    (folder / "model.tar.gz").write_bytes(noise)
    with pytest.raises(ModelDataError):
        model_data.unpack(folder / "model.tar.gz", folder / "model")


def test_an_archive_whose_hard_link_leads_to_nothing_is_a_models_fault_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.LNKTYPE, "missing"
        tar.addfile(link)
    (tmp_path / "model.tar.gz").write_bytes(out.getvalue())
    with pytest.raises(ModelDataError, match="neither a file nor a folder"):
        model_data.unpack(tmp_path / "model.tar.gz", tmp_path / "model")
    assert not (tmp_path / "model").exists()
