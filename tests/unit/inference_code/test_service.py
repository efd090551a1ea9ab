"""The two routes: who is admitted, what is answered when things go wrong, and that no place is ever lost."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from inference_code import __main__, inference, limits
from inference_code.api_error import ApiError
from inference_code.environment import NoGpu
from inference_code.model.dynamic_batcher import Scores
from inference_code.picture import Encoded
from inference_code.serving import exchange
from inference_code.serving.server import Server
from inference_code.serving.service import Service
from inference_code.serving.settings import Settings
from tests.unit.inference_code.pictures import encoded, scene

JPEG = encoded(scene(), "JPEG")
PICTURE: dict[str, Any] = {"content": JPEG, "headers": {"Content-Type": "image/jpeg"}}


class StubModel:
    """A model whose decoding a test holds back, or replaces by an error: its own or the network's."""

    def __init__(self, error: Exception | None = None, of_network: Exception | None = None) -> None:
        self.go = threading.Event()
        self.started = threading.Semaphore(0)
        self.coming: list[Scores] = []
        """What the network has been asked for and has not computed yet, if it is `slow`."""
        self.slow = False
        self.explaining: list[Future[dict[str, Any]]] = []
        """Answers that wait for their explanation."""
        self._error, self._of_network = error, of_network

    def scores(self, query: inference.Query, alone: bool) -> Scores:
        self.started.release()
        assert self.go.wait(30)
        if self._error:
            raise self._error
        scores = Scores()
        if self.slow:
            self.coming.append(scores)
        elif self._of_network:
            scores.set_exception(self._of_network)
        else:
            scores.set_result(np.zeros(3, np.float32))
        return scores

    def prediction(self, query: inference.Query, scores: NDArray[np.float32]) -> dict[str, Any]:
        return {"predicted_class": "ant", "confidence": 1.0, "top_k": query.top_k}

    def explained(self, query: inference.Query, prediction: dict[str, Any]) -> Future[dict[str, Any]]:
        self.explaining.append(Future())
        return self.explaining[-1]


def service(model: StubModel | None, folder: Path = Path("/none"), **changes: Any) -> Service:
    chosen = {"host": "", "port": 0, "model_dir": folder, "workers": 1, "in_work": 1, "queue": 1}
    made = Service(Settings(**{"request_seconds": 20.0} | chosen | changes))
    made._model = model  # type: ignore[assignment]
    return made


def talk(service: Service, conversation: Callable[[httpx.AsyncClient], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        transport = httpx.ASGITransport(service)
        async with httpx.AsyncClient(transport=transport, base_url="http://container") as client:
            await conversation(client)

    asyncio.run(run())


def error(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["error"]["message"]
    return answer.status_code, answer.json()["error"]["code"]


def test_ping_says_no_until_the_model_has_answered(artifact_folder: Path) -> None:
    serving = service(None, artifact_folder)

    async def conversation(client: httpx.AsyncClient) -> None:
        ping = await client.get("/ping")
        assert (ping.status_code, ping.json()) == (503, {"status": "starting"})
        assert error(await client.post("/invocations", **PICTURE)) == (503, "ModelNotReady")
        serving.load_model()
        assert (await client.get("/ping")).status_code == 200
        assert (await client.post("/invocations", **PICTURE)).json()["predicted_class"]

    talk(serving, conversation)


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 403), ("0.0.0.0", 200)])
def test_on_this_machine_s_own_address_no_page_of_a_browser_is_answered(host: str, status: int) -> None:
    model = StubModel()
    model.go.set()

    async def conversation(client: httpx.AsyncClient) -> None:
        headers = {**PICTURE["headers"], "Origin": "http://elsewhere.example"}
        assert (await client.post("/invocations", content=JPEG, headers=headers)).status_code == status
        assert (await client.post("/invocations", **PICTURE)).status_code == 200

    talk(service(model, host=host), conversation)


def test_a_model_that_cannot_be_loaded_keeps_ping_failing_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    serving = service(None, tmp_path)
    serving.load_model()

    async def conversation(client: httpx.AsyncClient) -> None:
        ping = await client.get("/ping")
        assert ping.status_code == 503
        assert ping.json()["status"] == "failed"
        assert "model.json is missing" in ping.json()["error"]["message"]

    talk(serving, conversation)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "model.json is missing" in record.fields["reason"]  # type: ignore[attr-defined]


def test_a_gpu_that_is_missing_keeps_ping_failing_with_a_code_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_a_driver(*_: Any) -> None:
        raise NoGpu("driver none")

    monkeypatch.setattr(inference, "model_fn", without_a_driver)
    serving = service(None, tmp_path)
    serving.load_model()

    async def conversation(client: httpx.AsyncClient) -> None:
        ping = await client.get("/ping")
        assert ping.status_code == 503
        assert ping.json()["error"] == {"code": "NoGpu", "message": "driver none"}

    talk(serving, conversation)


def test_a_model_that_loads_but_cannot_answer_keeps_ping_failing(
    artifact_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no kernel image")

    monkeypatch.setattr(inference.Classifier, "prediction", broken)
    serving = service(None, artifact_folder)
    serving.load_model()

    async def conversation(client: httpx.AsyncClient) -> None:
        ping = await client.get("/ping")
        assert (ping.status_code, ping.json()["status"]) == (503, "failed")
        assert "no kernel image" in ping.json()["error"]["message"]

    talk(serving, conversation)


def test_one_request_more_than_can_wait_is_told_to_come_back_and_the_others_are_answered() -> None:
    model = StubModel()
    serving = service(model, queue=2)

    async def conversation(client: httpx.AsyncClient) -> None:
        waiting = [asyncio.create_task(client.post("/invocations", **PICTURE)) for _ in range(3)]
        await asyncio.to_thread(model.started.acquire)
        refused = await client.post("/invocations", **PICTURE)
        assert error(refused) == (503, "Overloaded")
        assert refused.headers["Retry-After"] == "1"
        model.go.set()
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200, 200]
        assert (await client.post("/invocations", **PICTURE)).status_code == 200

    talk(serving, conversation)


def test_a_request_whose_time_is_over_gives_its_place_back_when_its_worker_is_done() -> None:
    model = StubModel()
    serving = service(model, queue=0, request_seconds=1.5)

    async def conversation(client: httpx.AsyncClient) -> None:
        assert error(await client.post("/invocations", **PICTURE)) == (504, "Timeout")
        assert error(await client.post("/invocations", **PICTURE)) == (503, "Overloaded")
        model.go.set()
        while serving.admission.admitted:
            await asyncio.sleep(0.01)
        assert (await client.post("/invocations", **PICTURE)).status_code == 200

    talk(serving, conversation)


def test_a_body_that_never_ends_is_given_up_and_its_place_given_back() -> None:
    model = StubModel()
    model.go.set()
    serving = service(model, queue=0, request_seconds=1.5)

    async def forever() -> AsyncIterator[bytes]:
        yield JPEG[:100]
        await asyncio.sleep(6)
        yield JPEG[100:]

    async def conversation(client: httpx.AsyncClient) -> None:
        answer = await client.post("/invocations", content=forever(), headers={"Content-Type": "image/jpeg"})
        assert error(answer) == (408, "BodyTimeout")
        assert (await client.post("/invocations", **PICTURE)).status_code == 200

    talk(serving, conversation)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_above_the_limit_is_refused_without_being_kept(
    announced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_IMAGE_BYTES", 10_000)
    monkeypatch.setattr(inference, "input_fn", lambda *_: pytest.fail("kept and handed on"))
    serving = service(StubModel(), queue=0)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(1000)

    async def conversation(client: httpx.AsyncClient) -> None:
        for _ in range(3):
            content = bytes(30_000) if announced else chunks()
            answer = await client.post("/invocations", content=content, headers={"Content-Type": "image/png"})
            assert error(answer) == (413, "PayloadTooLarge")
            # The size is known only where it was announced: else the body was given up while it grew.
            assert ("has 30,000 bytes" in answer.json()["error"]["message"]) == announced

    talk(serving, conversation)


def test_nobody_waits_for_the_network_and_what_waits_for_it_keeps_its_place() -> None:
    model = StubModel()
    model.go.set()
    model.slow = True
    serving = service(model, in_work=3, queue=0)

    async def conversation(client: httpx.AsyncClient) -> None:
        waiting = [asyncio.create_task(client.post("/invocations", **PICTURE)) for _ in range(3)]
        async with asyncio.timeout(30):
            while len(model.coming) < 3:  # the one worker has decoded all three
                await asyncio.sleep(0.01)
        assert error(await client.post("/invocations", **PICTURE)) == (503, "Overloaded")
        for scores in model.coming:
            scores.set_result(np.zeros(3, np.float32))
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200, 200]
        assert serving.admission.admitted == 0

    talk(serving, conversation)


def test_a_request_whose_time_is_over_before_its_turn_is_not_begun() -> None:
    model = StubModel()
    serving = service(model, queue=1, request_seconds=1.5)

    async def conversation(client: httpx.AsyncClient) -> None:
        both = [asyncio.create_task(client.post("/invocations", **PICTURE)) for _ in range(2)]
        assert [error(answer) for answer in await asyncio.gather(*both)] == [(504, "Timeout")] * 2
        model.go.set()
        while serving.admission.admitted:
            await asyncio.sleep(0.01)
        assert (await client.post("/invocations", **PICTURE)).status_code == 200

    talk(serving, conversation)
    assert model.started._value == 2


@pytest.mark.parametrize("where", ["decoding", "network"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [(ZeroDivisionError("ours"), (500, "InternalError")), (MemoryError(), (503, "Overloaded"))],
)
def test_a_fault_of_ours_is_logged_with_its_traceback_and_the_next_request_is_served(
    where: str, fault: Exception, expected: tuple[int, str], caplog: pytest.LogCaptureFixture
) -> None:
    model = StubModel(fault) if where == "decoding" else StubModel(of_network=fault)
    model.go.set()

    async def conversation(client: httpx.AsyncClient) -> None:
        for _ in range(5):
            assert error(await client.post("/invocations", **PICTURE)) == expected

    talk(service(model), conversation)
    assert any(record.exc_info and record.exc_info[1] is fault for record in caplog.records)


@pytest.mark.parametrize("damage", ["header", "pixels", "fault"])
def test_a_failed_request_leaves_nothing_to_the_garbage_collector(
    damage: str, artifact_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs seldom, and each such request holds its body and perhaps its pixels: megabytes."""
    serving = service(None, artifact_folder, queue=5)
    serving.load_model()
    body = {"header": b"no picture", "pixels": JPEG[: len(JPEG) // 2], "fault": JPEG}[damage]
    if damage == "fault":
        monkeypatch.setattr(inference.Classifier, "scores", lambda *_: 1 / 0)

    async def conversation(client: httpx.AsyncClient) -> None:
        for _ in range(5):
            answer = await client.post("/invocations", content=body, headers={"Content-Type": "image/jpeg"})
            assert answer.status_code == (500 if damage == "fault" else 400)

    monkeypatch.setattr(exchange.log, "error", lambda *_, **__: None)  # pytest keeps what is logged
    kinds = (Future, inference.Query, Encoded, ApiError)
    gc.collect()
    gc.disable()
    try:
        talk(serving, conversation)
        serving._workers.shutdown()  # a thread may be about to let go of the last one
        assert [each for each in gc.get_objects() if isinstance(each, kinds)] == []
    finally:
        gc.enable()


def test_an_explanation_is_waited_for_by_its_request_alone() -> None:
    """The thread that computes scores goes on: a plain request is answered while another is explained."""
    model = StubModel()
    model.go.set()

    async def conversation(client: httpx.AsyncClient) -> None:
        headers = {"Content-Type": "image/jpeg", "X-Amzn-SageMaker-Custom-Attributes": "explain=true"}
        asked = asyncio.create_task(client.post("/invocations", content=JPEG, headers=headers))
        while not model.explaining:
            await asyncio.sleep(0.01)
        plain = await client.post("/invocations", **PICTURE)
        assert plain.json() == {"predicted_class": "ant", "confidence": 1.0, "top_k": 5}
        assert not asked.done()
        model.explaining.pop().set_result({"predicted_class": "ant", "confidence": 1.0, "explanation": None})
        assert (await asked).json()["explanation"] is None

    talk(service(model), conversation)


def test_the_custom_attributes_reach_the_model() -> None:
    model = StubModel()
    model.go.set()

    async def conversation(client: httpx.AsyncClient) -> None:
        headers = {"Content-Type": "image/jpeg", "X-Amzn-SageMaker-Custom-Attributes": "top_k=2"}
        answer = await client.post("/invocations", content=JPEG, headers=headers)
        assert answer.json()["top_k"] == 2

    talk(service(model), conversation)


def test_when_draining_ping_fails_and_connections_are_closed_but_requests_are_answered() -> None:
    model = StubModel()
    model.go.set()
    serving = service(model)
    serving.draining = True

    async def conversation(client: httpx.AsyncClient) -> None:
        ping = await client.get("/ping")
        assert (ping.status_code, ping.json()) == (503, {"status": "draining"})
        answer = await client.post("/invocations", **PICTURE)
        assert (answer.status_code, answer.headers["Connection"]) == (200, "close")

    talk(serving, conversation)


def test_every_request_is_one_log_line_with_its_reason_and_without_its_picture(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from inference_code import logs

    caplog.set_level("INFO")
    model = StubModel()
    model.go.set()
    secret = b"GIF89a-not-really-a-picture"

    async def conversation(client: httpx.AsyncClient) -> None:
        await client.post("/invocations", **PICTURE)
        await client.post("/invocations", content=secret, headers={"Content-Type": "image/gif"})

    talk(service(model), conversation)
    lines = [
        json.loads(logs.JsonLines().format(record)) for record in caplog.records if record.name == "serve"
    ]
    good, bad = (line for line in lines if line["event"] == "request")
    assert (good["status"], good["bytes"], good["width"], good["height"]) == (200, len(JPEG), *scene().size)
    assert (bad["status"], bad["code"], bad["bytes"]) == (400, "UnsupportedImage", len(secret))
    assert "not-really" not in json.dumps(lines)


def test_the_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", "4720")
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", "/elsewhere")
    monkeypatch.setenv("SERVE_QUEUE", "3")
    settings = Settings.from_environment()
    assert (settings.port, settings.model_dir, settings.queue) == (4720, Path("/elsewhere/model"), 3)
    assert settings.workers >= 1


def test_an_unknown_argument_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["inference_code", "train"])
    with pytest.raises(SystemExit, match="serve"):
        __main__.main()


def test_an_idle_connection_is_kept_for_longer_than_those_who_send_keep_theirs() -> None:
    """Closed under a request that is on its way it would be a reset to the sender. Proxies keep theirs for a
    minute.
    """
    serving = service(None)
    assert Server(serving, serving._settings).config.timeout_keep_alive > 60
