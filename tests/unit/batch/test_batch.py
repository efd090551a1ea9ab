"""A batch has one line for every picture, whatever the picture is and however often the job is stopped."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from batch import __main__ as program
from batch.answering import Answering
from batch.job import CannotBegin, read
from batch.output import LostPictures, leave
from batch.parts import Parts
from batch.reading import Reading
from contract.batch import INTERNAL, NOT_READ, Listed, Summary, refusal, together
from inference_code import inference, limits
from inference_code.api_error import ApiError
from inference_code.inference import Classifier
from tests.unit.batch.jobs import SOURCE_KEY, lay_out, lines, listed, pack
from tests.unit.inference_code.artifacts import add_graph, write_artifact

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_graph(write_artifact(tmp_path_factory.mktemp("artifact") / "model"), "f32")


@pytest.fixture(scope="module")
def archive(model: Path) -> Path:
    return pack(model, model.parent / "model.tar.gz")


def picture(seed: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    shade = (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256)
    image = Image.linear_gradient("L").resize((60, 50)).convert("RGB")
    Image.blend(image, Image.new("RGB", image.size, shade), 0.5).save(buffer, kind)
    return buffer.getvalue()


PETS = {f"{'ab'[seed % 2]}/{seed}.jpg": picture(seed) for seed in range(20)}
BROKEN = {
    "a/cut.jpg": picture(90)[:200],
    "a/no.txt": b"not a picture",
    "empty.png": b"",
    "ünï çode \u2028.png": picture(91, "PNG"),
}


def run(base: Path) -> None:
    program._run(read(base))


def test_every_picture_has_one_line_with_what_the_functions_say(
    tmp_path: Path, model: Path, archive: Path
) -> None:
    pictures = {**PETS, **BROKEN}
    run(lay_out(tmp_path, archive, pictures))
    answers = {line["key"]: line for line in lines(tmp_path)}
    assert len(lines(tmp_path)) == len(answers) == len(pictures)
    classifier = inference.model_fn(str(model))
    for name, content in pictures.items():
        try:
            said: dict[str, Any] = inference.predict_fn(inference.input_fn(content, None), classifier)
        except ApiError as error:
            said = json.loads(error.as_json())
        assert answers[name] == {"key": name, **said}
    assert {answers[name]["error"]["code"] for name in ("a/cut.jpg", "a/no.txt", "empty.png")} == {
        *("TruncatedImage", "UnsupportedImage", "EmptyBody")
    }


def test_the_summary_counts_and_the_page_shows(tmp_path: Path, archive: Path) -> None:
    run(lay_out(tmp_path, archive, {**PETS, **BROKEN}))
    summary = Summary.read((tmp_path / "model" / "summary-1-of-1.json").read_text())
    assert (summary.pictures, summary.answered, summary.kept) == (24, 21, 0)
    assert summary.refused == {"TruncatedImage": 1, "UnsupportedImage": 1, "EmptyBody": 1}
    assert len(summary.least_certain) == 21
    confidences = [each["confidence"] for each in summary.least_certain]
    assert confidences == sorted(confidences)
    assert all(each["thumbnail"].startswith("data:image/jpeg") for each in summary.least_certain)
    page = (tmp_path / "model" / "batch.html").read_text()
    assert "Of 24 pictures 21 have an answer" in page
    assert "TruncatedImage" in page


def test_a_second_run_asks_for_what_is_new_or_changed_only(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    take = Reading.take

    def seen(self: Reading) -> Any:
        taken = take(self)
        if taken is not None:
            asked.append(taken[0].key.removeprefix(SOURCE_KEY))
        return taken

    monkeypatch.setattr(Reading, "take", seen)
    run(lay_out(tmp_path, archive, PETS))
    assert sorted(asked) == sorted(PETS)
    asked.clear()
    changed = {**PETS, "a/0.jpg": picture(50), "new.jpg": picture(51)}
    del changed["b/1.jpg"]
    run(lay_out(tmp_path, archive, changed))
    assert sorted(asked) == ["a/0.jpg", "new.jpg"]
    assert sorted(line["key"] for line in lines(tmp_path)) == sorted(changed)


def test_a_part_that_is_not_whole_is_asked_again(tmp_path: Path, archive: Path) -> None:
    run(lay_out(tmp_path, archive, PETS))
    (part,) = (tmp_path / "checkpoints").iterdir()
    before = lines(tmp_path)
    part.write_bytes(part.read_bytes()[:-300])
    (tmp_path / "checkpoints" / ".unfinished-x.part").write_text("half")
    run(tmp_path)
    assert sorted(map(str, lines(tmp_path))) == sorted(map(str, before))
    assert not list((tmp_path / "checkpoints").glob(".unfinished*"))


def test_several_instances_share_the_pictures(tmp_path: Path, archive: Path) -> None:
    pictures = {**PETS, **BROKEN}
    keys: list[str] = []
    summaries = []
    for host in range(3):
        base = lay_out(tmp_path / str(host), archive, pictures, hosts=3, host=host)
        run(base)
        keys += [line["key"] for line in lines(base, host + 1, 3)]
        summaries.append(Summary.read((base / "model" / f"summary-{host + 1}-of-3.json").read_text()))
    assert sorted(keys) == sorted(pictures)
    whole = together(summaries)
    assert (whole.pictures, whole.answered) == (24, 21)
    assert whole.refused == {"TruncatedImage": 1, "UnsupportedImage": 1, "EmptyBody": 1}


def test_what_another_number_of_instances_answered_counts(tmp_path: Path, archive: Path) -> None:
    run(lay_out(tmp_path, archive, PETS))
    base = lay_out(tmp_path, archive, PETS, hosts=2, host=1)
    run(base)
    summary = Summary.read((base / "model" / "summary-2-of-2.json").read_text())
    assert summary.kept == summary.pictures == len(lines(base, 2, 2)) > 0


def test_a_picture_that_storage_does_not_give_is_asked_again_next_time(tmp_path: Path, archive: Path) -> None:
    base = lay_out(tmp_path, archive, PETS)
    gone = base / "input" / "data" / "pictures" / "a" / "0.jpg"
    gone.unlink()
    run(base)
    (line,) = (line for line in lines(base) if line["key"] == "a/0.jpg")
    assert line["error"]["code"] == NOT_READ
    run(lay_out(tmp_path, archive, PETS))
    (line,) = (line for line in lines(base) if line["key"] == "a/0.jpg")
    assert "predicted_class" in line
    assert len(lines(base)) == len(PETS)


def test_a_fault_of_ours_is_the_pictures_line_and_no_end_of_the_job(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_header = inference.picture.read

    def failing(body: bytes) -> Any:
        if body == PETS["a/2.jpg"]:
            raise MemoryError
        return read_header(body)

    monkeypatch.setattr(inference.picture, "read", failing)
    run(lay_out(tmp_path, archive, PETS))
    codes = {line["key"]: line["error"]["code"] for line in lines(tmp_path) if "error" in line}
    assert codes == {"a/2.jpg": INTERNAL}


def test_a_job_that_can_ask_nothing_fails(tmp_path: Path, archive: Path) -> None:
    base = lay_out(tmp_path, archive, PETS)
    for path in (base / "input" / "data" / "pictures").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(program.NothingAnswered, match="not one of 20 pictures"):
        run(base)


def test_a_lost_picture_fails_the_job(tmp_path: Path, archive: Path) -> None:
    job = read(lay_out(tmp_path, archive, PETS))
    parts = Parts(job.parts)
    for each in listed(PETS)[1:]:
        parts.add(each, refusal(job.name(each), "EmptyBody", "no"))
    parts.close()
    with pytest.raises(LostPictures, match=r"1 of 20 pictures have no line, such as _batch/pets/a/0\.jpg"):
        leave(job, parts, {"name": "m", "version": "1"}, 0, 1.0)


def test_parts_that_hold_a_picture_twice_give_one_line(tmp_path: Path, archive: Path) -> None:
    run(lay_out(tmp_path, archive, PETS))
    parts = Parts(tmp_path / "checkpoints")
    for each in listed(PETS):
        parts.add(each, refusal(each.key, "EmptyBody", "another job said so"))
    parts.close()
    run(tmp_path)
    assert len(lines(tmp_path)) == len({line["key"] for line in lines(tmp_path)}) == len(PETS)


def test_a_part_is_closed_after_so_long(tmp_path: Path) -> None:
    now = 0.0
    parts = Parts(tmp_path, lambda: now)
    picture = Listed("a", "b", 1)
    parts.add(picture, refusal("a", "EmptyBody", "no"))
    assert not list(parts.kept())
    now = 11.0
    parts.add(picture, refusal("a", "EmptyBody", "no"))
    assert [each.identity for each in parts.kept()] == [picture.identity] * 2


def test_pictures_are_read_ahead_where_reading_is_slow() -> None:
    def slow(picture: Listed) -> bytes:
        time.sleep(0.02)
        return picture.key.encode()

    pictures = [Listed(str(number), "", 1) for number in range(200)]
    for how, ahead in ((lambda picture: picture.key.encode(), False), (slow, True)):
        reading = Reading(pictures, how, 1)
        seen = []
        while (taken := reading.take()) is not None:
            assert taken[1]() == taken[0].key.encode()
            seen.append(taken[0])
        assert seen == pictures
        assert (reading.ahead > 0) is ahead
        reading.close()


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, model = read(lay_out(tmp_path, archive, PETS)), cast(Classifier, SimpleNamespace(form="openvino"))
    monkeypatch.setattr(limits, "MAX_IMAGE_BYTES", len(PETS["a/0.jpg"]) - 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    answering = Answering(model, listed(PETS)[:1], job.path, job.name, 1)
    ((_, line, _),) = answering.lines()
    assert line["error"]["code"] == "PayloadTooLarge"


def test_a_list_that_breaks_off_fails_the_job(tmp_path: Path, archive: Path) -> None:
    base = lay_out(tmp_path, archive, PETS)
    path = base / "input/data/list/keys.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CannotBegin, match="the list of pictures"):
        run(base)


def test_answers_as_csv(tmp_path: Path, archive: Path) -> None:
    run(lay_out(tmp_path, archive, {**PETS, **BROKEN}, format="csv"))
    with (tmp_path / "model" / "answers-1-of-1.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    assert len(rows) == 24
    row = rows["a/0.jpg"]
    assert json.loads(row["classes"])[0] == row["predicted_class"]
    assert json.loads(row["confidences"])[0] == float(row["confidence"])
    assert rows["empty.png"]["error"] == "EmptyBody"
    assert set(rows) == {*PETS, *BROKEN}


def started(base: Path, **more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), **more}
    return subprocess.Popen(
        [sys.executable, "-m", "batch"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )


def test_a_job_that_is_stopped_keeps_what_it_answered_and_leaves_no_half(
    tmp_path: Path, archive: Path
) -> None:
    many = {f"{number}.jpg": picture(number) for number in range(3000)}
    job = started(lay_out(tmp_path, archive, many))
    parts, deadline = tmp_path / "checkpoints", time.monotonic() + 120
    while not list(parts.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    job.send_signal(signal.SIGTERM)
    output, _ = job.communicate(timeout=60)
    if job.returncode == 0 and "done:" in output:
        pytest.skip("it was done before it could be stopped")
    assert (job.returncode, output.splitlines()[-1]) == (0, program._STOPPED)
    assert not list((tmp_path / "model").glob("*"))
    again = started(tmp_path)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert f"{len(many):,} pictures, 0 answered before" not in output
    assert sorted(line["key"] for line in lines(tmp_path)) == sorted(many)


def test_what_cannot_begin_says_why(tmp_path: Path, archive: Path) -> None:
    with pytest.raises(CannotBegin, match="source"):
        read(tmp_path)
    base = lay_out(tmp_path, archive, PETS)
    (base / "input/data/list/keys.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(CannotBegin, match="the list of pictures"):
        run(base)
    base = lay_out(tmp_path, archive, PETS)
    (base / "input/data/model/model.tar.gz").unlink()
    job = started(base)
    job.communicate(timeout=60)
    assert job.returncode == 1
    assert "the channel 'model' holds no .tar.gz" in (base / "output" / "failure").read_text()
