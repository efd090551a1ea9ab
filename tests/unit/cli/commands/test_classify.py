"""`classifier classify`: each picture has its answer or its reason, on the terminal, as JSON and as rows."""

from __future__ import annotations

import _thread
import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from classifier_client import Answer
from cli.__main__ import cli
from cli.commands import classify as module
from cli.commands.classify import gather
from cli.errors import ExitCode, NoSuchFile
from cli.prediction import bar, headline, prediction
from contract.batch import COLUMNS

GOOD: dict[str, Any] = {
    "predicted_class": "bee",
    "class_index": 1,
    "confidence": 0.93,
    "predictions": [{"class": "bee", "class_index": 1, "confidence": 0.93}],
    "model": {"name": "demo", "version": "3"},
}
Judge = Callable[[bytes], tuple[int, dict[str, Any]]]


def refusal(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"{code} happened."}, "request_id": "r"}


def judge(body: bytes) -> tuple[int, dict[str, Any]]:
    return (200, GOOD) if body.startswith(b"good") else (400, refusal("TruncatedImage"))


@contextmanager
def api(judge: Judge) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers as `judge` does, and the headers of what it was asked."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append({name.lower(): value for name, value in self.headers.items()})
            status, said = judge(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):  # who was interrupted has gone away
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/live/", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs the command against an API that answers as `judge` does."""
    monkeypatch.setenv("CLASSIFIER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLASSIFIER_PORT", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(*arguments: str | Path, judge: Judge = judge) -> Result:
        with api(judge) as (url, _):
            monkeypatch.setattr(module, "read", lambda target: {"api_url": url, "api_key": "k"})
            return CliRunner().invoke(cli, ["classify", *map(str, arguments)])

    return run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of four pictures, the second of which is broken, and things that are none."""
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    for name, content in {"a.png": b"good", "b.jpg": b"bad", "c.JPG": b"good", "sub/d.png": b"good"}.items():
        (folder / name).write_bytes(content)
    for name in ("notes.txt", ".hidden.png", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    return folder


def test_one_bad_picture_takes_no_other_s_answer_away(ask: Callable[..., Result], pictures: Path) -> None:
    done = ask(pictures / "a.png", pictures / "b.jpg", pictures / "c.JPG", "--json")
    assert done.exit_code == ExitCode.ERROR
    lines = json.loads(done.stdout)["data"]
    assert [line["picture"] for line in lines] == [
        str(pictures / name) for name in ("a.png", "b.jpg", "c.JPG")
    ]
    assert [line.get("predicted_class") for line in lines] == ["bee", None, "bee"]
    assert lines[1]["error"] == refusal("TruncatedImage")["error"]
    assert "1 of 3 pictures got no answer" in done.stderr


def test_of_a_folder_the_pictures_are_asked_and_the_other_files_told(
    ask: Callable[..., Result], pictures: Path
) -> None:
    (pictures / "b.jpg").unlink()
    done = ask(pictures)
    assert done.exit_code == ExitCode.OK
    lines = done.stdout.splitlines()
    assert lines[0].endswith(f"no files with a picture's name: {pictures / 'notes.txt'}.")
    assert [line.split()[0] for line in lines[1:]] == [
        str(pictures / name) for name in ("a.png", "c.JPG", "sub/d.png")
    ]


def test_a_pipe_in_a_folder_is_not_waited_for(ask: Callable[..., Result], pictures: Path) -> None:
    (pictures / "b.jpg").unlink()
    os.mkfifo(pictures / "e.png")
    done = ask(pictures)
    assert done.exit_code == ExitCode.OK
    assert f"no files with a picture's name: {pictures / 'e.png'}, {pictures / 'notes.txt'}." in done.stdout


def test_a_picture_alone_is_told_with_all_its_classes(ask: Callable[..., Result], pictures: Path) -> None:
    assert "█" in ask(pictures / "a.png").stdout
    assert "█" not in ask(pictures / "a.png", pictures / "c.JPG").stdout
    assert "█" in ask(pictures / "a.png", pictures / "c.JPG", "--top-k", "1").stdout


@pytest.mark.parametrize("place", ["-", "file"])
def test_rows_have_the_columns_of_a_batch_in_the_order_of_the_pictures(
    ask: Callable[..., Result], pictures: Path, tmp_path: Path, place: str
) -> None:
    file = tmp_path / "answers.csv"
    done = ask(pictures, "--csv", "-" if place == "-" else file)
    rows = list(csv.DictReader(io.StringIO(done.stdout if place == "-" else file.read_text())))
    assert list(rows[0]) == ["picture", *COLUMNS[1:]]
    assert [Path(row["picture"]).name for row in rows] == ["a.png", "b.jpg", "c.JPG", "d.png"]
    assert [row["predicted_class"] for row in rows] == ["bee", "", "bee", "bee"]
    assert [row["error"] for row in rows] == ["", "TruncatedImage", "", ""]
    assert "3 of 4 pictures are answered" in (done.stderr if place == "-" else done.stdout)


@pytest.mark.parametrize(
    "wrong",
    [
        ["pictures/a.png", "--csv", "-", "--json"],
        ["pictures/a.png", "--csv", "/nowhere/at/all.csv"],
        ["pictures/a.png", "--csv", "/tmp"],
        ["nowhere.png"],
        ["nowhere.png", "empty", "pictures/a.png/b.png"],
    ],
)
def test_what_cannot_be_is_said_before_anything_is_asked(
    ask: Callable[..., Result], pictures: Path, wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures.parent)
    Path("empty").mkdir()
    asked: list[bytes] = []

    def count(body: bytes) -> tuple[int, dict[str, Any]]:
        asked.append(body)
        return 200, GOOD

    assert ask(*wrong, judge=count).exit_code == ExitCode.USAGE
    assert not asked


def test_what_leads_to_no_picture_takes_no_other_s_answer_away(
    ask: Callable[..., Result], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "empty").mkdir()
    (pictures / "b.jpg").unlink()
    closed, scandir, access = str(pictures / "sub"), os.scandir, os.access

    def listing(place: Any) -> Any:
        if str(place) == closed:
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(os, "access", lambda place, mode: str(place) != closed and access(place, mode))
    done = ask(pictures / "no.jpg", pictures, pictures / "empty", pictures / "a.png", "--json")
    assert done.exit_code == ExitCode.ERROR
    lines = json.loads(done.stdout)["data"]
    assert [
        (Path(line["picture"]).name, line.get("predicted_class") or line["error"]["message"])
        for line in lines
    ] == [
        ("no.jpg", "there is no such file or folder"),
        ("a.png", "bee"),
        ("c.JPG", "bee"),
        ("sub", "this folder may not be read"),
        ("empty", "no file in this folder ends as a picture does"),
        ("a.png", "bee"),
    ]
    assert f"{pictures / 'no.jpg'}: there is no such file or folder" in done.stderr
    assert "3 of 6 pictures got no answer; see above." in done.stderr


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(NoSuchFile, match=str(tmp_path)):
        gather([tmp_path])


def test_nothing_more_is_asked_once_no_picture_would_fare_better(
    ask: Callable[..., Result], tmp_path: Path
) -> None:
    for number in range(60):
        (tmp_path / f"{number:02}.png").write_bytes(b"good" if number < 3 else b"later")
    asked: list[bytes] = []

    def count(body: bytes) -> tuple[int, dict[str, Any]]:
        asked.append(body)
        return (200, GOOD) if body == b"good" else (503, refusal("NoModelYet"))

    done = ask(tmp_path, "--json", judge=count)
    lines = json.loads(done.stdout)["data"]
    assert [line.get("error", {}).get("code") for line in lines] == [None] * 3 + ["NoModelYet"] * 57
    assert len(asked) < 30
    assert (done.exit_code, done.stderr.count("NoModelYet happened")) == (ExitCode.ERROR, 1)


def test_ctrl_c_says_how_many_are_answered_and_keeps_their_rows(
    ask: Callable[..., Result], tmp_path: Path
) -> None:
    for number in range(40):
        (tmp_path / f"{number:02}.png").write_bytes(b"good" if number < 3 else b"never")
    file, interrupted = tmp_path / "answers.csv", Event()

    def hang(body: bytes) -> tuple[int, dict[str, Any]]:
        if body == b"good":
            return 200, GOOD
        for _ in range(100):  # until the rows of the three are there
            if file.exists() and file.read_text().count("\n") == 4:
                break
            Event().wait(0.05)
        if not interrupted.is_set():
            interrupted.set()
            _thread.interrupt_main()
        Event().wait(0.5)
        return 200, GOOD

    done = ask(tmp_path, "--csv", file, judge=hang)
    assert done.exit_code == ExitCode.INTERRUPTED
    assert f"3 of 40 pictures are answered. {file} has them." in done.stderr
    assert len(file.read_text().splitlines()) == 4


def test_a_picture_that_cannot_be_read_has_its_reason(
    ask: Callable[..., Result], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_bytes

    def locked(path: Path) -> bytes:
        if path.name == "a.png":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", locked)
    done = ask(pictures / "a.png", pictures / "c.JPG", "--json")
    first, second = json.loads(done.stdout)["data"]
    assert (first["error"]["code"], second["predicted_class"]) == ("PictureNotRead", "bee")


@pytest.mark.parametrize("signed", [False, True])
def test_a_request_is_signed_where_the_api_asks_for_it(target: Any, tmp_path: Path, signed: bool) -> None:
    from classifier_client import Client
    from cli.asking import client

    (tmp_path / "a.jpg").write_bytes(b"good")
    with api(judge) as (url, asked):
        outputs = {"api_url": url, "api_key": "k", "api_signed": signed}
        with client(Client, target(), outputs) as made:
            made.classify(tmp_path / "a.jpg", top_k=2)
    (headers,) = asked
    assert headers["x-api-key"] == "k"
    authorization = headers.get("authorization", "")
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=LOCALAWSKEY/") == signed
    assert ("SignedHeaders=content-type;host;x-amz-date;x-api-key" in authorization) == signed


def test_a_request_without_a_body_is_signed_too(target: Any) -> None:
    from cli.asking import Signature

    request = httpx.Request("GET", "https://api.example/live/model", headers={"x-api-key": "k"})
    signed = next(Signature(target()).auth_flow(request))
    assert "SignedHeaders=host;x-amz-date;x-api-key" in signed.headers["authorization"]


def test_an_api_that_is_not_there_is_said_with_the_remedy(
    ask: Callable[..., Result], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Patience", lambda: module.asking.NO_PATIENCE)
    monkeypatch.setattr(module, "read", lambda target: {"api_url": "http://127.0.0.1:1/", "api_key": "k"})
    done = CliRunner().invoke(cli, ["classify", str(pictures / "a.png")])
    assert done.exit_code == ExitCode.ERROR
    assert "did not answer" in done.stderr
    assert "make up" in done.stderr


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ({}, ""),
        ({"certain": None, "unlike_training": None}, ""),
        ({"certain": True, "unlike_training": False}, "certain"),
        ({"certain": False, "unlike_training": None}, "not certain"),
        (
            {"certain": False, "unlike_training": True},
            "unlike the training pictures, perhaps none of these classes",
        ),
    ],
)
def test_what_an_answer_says_of_itself_is_said_in_words(marks: dict[str, Any], words: str) -> None:
    from rich.console import Console

    console = Console(width=160)
    answer = Answer.of(GOOD | marks)
    with console.capture() as captured:
        console.print(prediction(Path("pets/x.jpg"), answer))
        console.print(headline(Path("pets/x.jpg"), answer))
    alone, *_, among_many = captured.get().splitlines()
    said = f"93.0%: {words}" if words else "93.0%"
    assert alone == f"pets/x.jpg looks like bee, with a confidence of {said}. (model demo version 3)"
    assert among_many == f"pets/x.jpg  bee 93.0%  {words}".rstrip()


@given(st.floats(allow_nan=False))
def test_a_bar_always_fits(fraction: float) -> None:
    assert len(bar(fraction)) <= 30
