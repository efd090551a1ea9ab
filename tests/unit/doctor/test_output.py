"""The page, findings.json and the CSV, and the two ways in which they come to be: a folder and a job."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.commands.doctor import doctor
from contract.datasets import manifest
from contract.datasets.manifest import Picture as Listed
from contract.picture_decisions import Action, read
from doctor import __main__ as job
from doctor.examine import examine
from doctor.findings import Finding, Kind, Picture, Proposal
from doctor.output import decisions, leave
from doctor.records import Record
from tests.unit.doctor.drawn import encoded, record, relabelled, scene, striped
from tests.unit.markup import Skeleton

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{7*7}}"


def test_the_three_files_say_the_same(tmp_path: Path) -> None:
    records = [*relabelled(striped(120), {3, 40}), record("bad", b"x", "lying")]
    paths = leave(examine(records), "stripes", tmp_path / "out")
    found = json.loads(paths["findings.json"].read_text())
    assert found["version"] == 1
    assert found["counts"] == {"unreadable": 1, "wrong-label": 2}
    chosen = {each.picture: each for each in read(paths["decisions.csv"].read_bytes())}
    assert {name: (each.action, each.label) for name, each in chosen.items()} == {
        "bad": (Action.DROP, ""),
        "3.png": (Action.RELABEL, "upright"),
        "40.png": (Action.RELABEL, "lying"),
    }
    page = paths["doctor.html"].read_text()
    assert set(re.findall(r'data-picture="([^"]+)"', page)) == set(chosen)
    assert page.count("data:image/jpeg;base64,") == 2


def test_names_become_no_markup_and_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    records = relabelled(striped(120), {3})
    plain = leave(examine(records), "x", tmp_path / "a")["doctor.html"].read_text()
    named = [record(f"{HOSTILE}{each.name}", each.read(), f"{HOSTILE}{each.label}") for each in records]
    page = leave(examine(named), HOSTILE, tmp_path / "b")["doctor.html"].read_text()
    assert Skeleton(page).shapes <= Skeleton(plain).shapes
    assert "alert(1)>" not in page.replace("alert(1)&gt;", "")
    assert not re.search(r"(src|href)=\"(?!data:image/jpeg|#)", page)
    assert "url(" not in page


def test_the_page_keeps_to_its_size_with_thousands_of_findings(tmp_path: Path) -> None:
    content = encoded(scene(1, 200), "JPEG", quality=95)
    diagnosis = examine(striped(40))
    for number in range(3000):
        each = record(f"{number:05d}.jpg", content, "lying")
        picture = Picture(each.name, "0" * 64, "lying", "train", 200, 200, each.size, each)
        kind = (Kind.WRONG_LABEL, Kind.ODD, Kind.BLURRED)[number % 3]
        diagnosis.findings.append(Finding(kind, 0.9, "is odd", (picture,), (Proposal(0, None, "upright"),)))
    paths = leave(diagnosis, "x", tmp_path)
    assert paths["doctor.html"].stat().st_size < 8_000_000
    assert len(read(paths["decisions.csv"].read_bytes())) == 3000


def test_a_picture_with_several_findings_has_one_decision_the_strongest() -> None:
    picture = Picture("a", "", "x", "train")
    findings = [
        Finding(Kind.WRONG_LABEL, 0.9, "wrong", (picture,), (Proposal(0, Action.RELABEL, "y"),)),
        Finding(Kind.ODD, 0.9, "odd", (picture,), (Proposal(0, None),)),
        Finding(Kind.DUPLICATE, 0.9, "twice", (picture,), (Proposal(0, Action.DROP),)),
    ]
    assert [(each.action, each.reason) for each in decisions(findings)] == [(Action.DROP, "twice")]


def folder_of(records: list, folder: Path) -> Path:  # type: ignore[type-arg]
    for each in records:
        place = folder / each.label / each.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(each.read())
    return folder


def test_the_command_writes_beside_the_folder_and_changes_nothing_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = folder_of([*striped(40), record("bad.png", b"x", "lying")], tmp_path / "My Stripes")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    result = CliRunner().invoke(doctor, [str(folder), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    assert "1 unreadable file, such as lying/bad.png" in result.output
    assert {path.name for path in (tmp_path / "doctor-my-stripes").iterdir()} == {
        "findings.json",
        "doctor.html",
        "decisions.csv",
    }
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["missing"], "no folder", 2),
        (["data", "--out", "data/x"], "lies in the folder of pictures", 2),
        (["data", "--weights", "none.pth"], "no file", 2),
        (["data", "--weights", "data/lying/0.png"], "does not end in", 1),
        (["empty"], "no pictures", 2),
        (["broken"], "Not one of 1 pictures can be read", 1),
    ],
)
def test_what_cannot_be_examined_is_one_message(
    arguments: list[str], message: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(striped(4), tmp_path / "data")
    folder_of([record("x.png", b"x")], tmp_path / "broken")
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(doctor, arguments)
    assert result.exit_code == code
    assert message in result.output


def lay_out(base: Path, records: list[Record]) -> None:
    """A job's folders, as SageMaker makes them of a version's lists."""
    pictures = []
    for each in records:
        split = each.split or "train"
        key = f"{each.name.replace('/', '-')}"
        place = base / "input" / "data" / split / "datasets" / "stripes" / "pictures" / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(each.read())
        content = hashlib.sha256(each.read()).hexdigest()
        pictures.append(Listed(each.label, split, Path(each.name).name, content, each.size, key))
    write_lists(base, pictures)
    config = base / "input" / "config"
    config.mkdir()
    (config / "hyperparameters.json").write_text(json.dumps({"dataset": "stripes", "jobs": "1"}))


def write_lists(base: Path, pictures: list[Listed]) -> None:
    lists = base / "input" / "data" / "dataset" / "datasets" / "stripes" / "shards"
    lists.mkdir(parents=True, exist_ok=True)
    for number, shard in enumerate(manifest.shards(pictures)):
        (lists / f"{number}.jsonl.gz").write_bytes(shard)


def test_a_job_examines_a_version_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, relabelled(striped(60), {7}))
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    assert job.main() == 0
    found = json.loads((tmp_path / "model" / "findings.json").read_text())
    assert found["dataset"] == "stripes"
    assert [each["pictures"][0]["picture"] for each in found["findings"]] == ["train/lying/7.png"]


def test_a_job_that_cannot_work_says_why_where_sagemaker_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    assert job.main() == 1
    assert "there are no pictures" in (tmp_path / "output" / "failure").read_text()
    lay_out(tmp_path, striped(4))
    write_lists(tmp_path, [Listed("lying", "train", "a.png", "0" * 64, 1, "../../secret")])
    assert job.main() == 1
    assert (
        "names '../../secret', which is no file of a channel" in (tmp_path / "output" / "failure").read_text()
    )
