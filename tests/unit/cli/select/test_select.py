"""`classifier select`: a finished batch becomes a folder to label; what is wrong is said with its remedy."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.commands import select as command
from cli.select import folder as folders
from cli.target import Target
from contract import storage
from contract.batch import COLUMNS, KEYS, Listed, answers_file, cells, features_file
from contract.datasets import store
from contract.datasets.manifest import Picture
from tests.unit.cli.conftest import Paginated, Terminal, client_error
from tests.unit.memory_s3 import MemoryS3

JOB = "classifier-batch-0a1b2c3d"
MODEL = "arn:aws:sagemaker:us-east-1:000000000000:model-package/classifier/3"
CLASSES = ("ant", "bee", "cicada")


def picture(seed: int) -> bytes:
    """Busy pictures that are no near duplicates of each other."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize((96, 96), Image.Resampling.BICUBIC).save(out, "JPEG", quality=92)
    return out.getvalue()


PICTURES = {f"pets/{'ab'[seed % 2]}/{seed:02}.jpg": picture(seed) for seed in range(30)}


def described(name: str = JOB, status: str = "Completed", shares: int = 1, **told: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "TrainingJobStatus": status,
        "HyperParameters": {"source": "s3://data/pets/", "pictures": "30", "features": "true", **told},
        "Environment": {"JOB_PACKAGE": "batch", "MODEL_PACKAGE_ARN": MODEL},
        "ResourceConfig": {"InstanceCount": shares},
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://artifacts/batch/answers/{name}/output/model/"},
        "InputDataConfig": [
            {
                "ChannelName": "list",
                "DataSource": {"S3DataSource": {"S3Uri": f"s3://artifacts/{storage.batch_list(name)}"}},
            }
        ],
    }


def answered(
    pictures: dict[str, bytes], job: str = JOB, shares: int = 1, form: str = "jsonl", below: str = ""
) -> MemoryS3:
    """S3 with pictures, and with what a batch of so many instances left of them; every seventh is refused."""
    s3, random = MemoryS3(), np.random.default_rng(0)
    keys = sorted(pictures)
    for key in keys:
        s3.objects[key] = pictures[key]
    listed = [Listed(key, s3._entry(key)["ETag"].strip('"'), len(pictures[key])) for key in keys]
    place = f"{storage.batch_list(job)}{KEYS}"
    s3.objects[place] = gzip.compress("".join(each.line() for each in listed).encode())
    for share in range(shares):
        lines, rows = [], []
        for number, key in enumerate(keys):
            if number % shares != share:
                continue
            name = key.removeprefix(below)
            if number % 7 == 6:
                lines.append({"key": name, "error": {"code": "EmptyBody", "message": "no"}})
                continue
            lines.append({"key": name, **prediction(number)})
            rows.append(random.normal(size=16))
        place = f"batch/answers/{job}/output/model/"
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        if form == "csv":
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerows([COLUMNS, *(cells(line) for line in lines)])
            text = out.getvalue()
        s3.objects[place + answers_file(share, shares, form)] = text.encode()
        numbers = io.BytesIO()
        np.save(numbers, np.array(rows, np.float16))
        s3.objects[place + features_file(share, shares)] = numbers.getvalue()
    return s3


def prediction(number: int) -> dict[str, Any]:
    best, other = CLASSES[number % 3], CLASSES[(number + 1) % 3]
    confidence = round(0.5 + number / 70, 6)
    said = [{"class": best, "confidence": confidence}, {"class": other, "confidence": 1 - confidence}]
    answer = {"predicted_class": best, "confidence": confidence, "certain": True, "predictions": said}
    return {**answer, "unlike_training": number == 0, "model": {"name": "classifier", "version": "3"}}


class SageMaker(Paginated):
    """With these jobs, the newest first, and a model that was trained on `pets`, or on what nobody knows."""

    def __init__(self, *jobs: dict[str, Any], dataset: str = "") -> None:
        super().__init__(
            list_training_jobs_pages=lambda **asked: [
                {"TrainingJobSummaries": [{"TrainingJobName": each["TrainingJobName"]} for each in jobs]}
            ]
        )
        self.jobs = {each["TrainingJobName"]: each for each in jobs}
        self.dataset = dataset

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        if TrainingJobName not in self.jobs:
            raise client_error("ValidationException")
        return self.jobs[TrainingJobName]

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        return {"CustomerMetadataProperties": {"dataset": self.dataset} if self.dataset else {}}


Select = Callable[..., Any]


@pytest.fixture
def select(target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Select:
    """Runs the command on this S3 and these jobs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "outputs", lambda target, stack: {"DataBucket": "data"})

    def run(s3: MemoryS3, jobs: SageMaker, *arguments: str, kind: str = "local", text: str = "") -> Any:
        here = target(kind, s3=s3, sagemaker=jobs)
        monkeypatch.setattr("cli.commands.options.resolve", lambda kind: here)
        return Terminal().invoke(command.select, arguments, input=text)

    return run


def laid(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def table(out: Path) -> list[dict[str, str]]:
    with (out / "to-label.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("form", "shares"), [("jsonl", 1), ("csv", 3)])
def test_the_pictures_lie_in_the_classes_that_the_model_says(
    select: Select, tmp_path: Path, form: str, shares: int
) -> None:
    s3 = answered(PICTURES, shares=shares, form=form)
    done = select(s3, SageMaker(described(shares=shares, format=form)), "s3://data/pets", "--count", "8")
    assert done.exit_code == 0, done.output
    rows = table(tmp_path / "to-label")
    assert len(rows) == len({row["key"] for row in rows}) == 8
    for row in rows:
        number = sorted(PICTURES).index(row["key"])
        assert number % 7 != 6, "what has no answer has no class to be put into"
        assert row["file"].startswith(f"train/{CLASSES[number % 3]}/{row['key'][-6:-4]}-")
        assert (tmp_path / "to-label" / row["file"]).read_bytes() == PICTURES[row["key"]]
        assert float(row["confidence"]) == pytest.approx(0.5 + number / 70, abs=1e-6)
        assert f"{CLASSES[number % 3]} {float(row['confidence']):.2f} or " in row["why"]
        assert ("unlike training" in row["why"]) is (number == 0)
    assert set(laid(tmp_path / "to-label")) == {row["file"] for row in rows} | {
        "to-label.csv",
        "selection.json",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["to-label"], "nothing half is left beside it"
    assert "classifier upload to-label --dataset NAME --keep" in done.output


def test_the_same_a_second_time_changes_nothing_and_another_choice_goes_elsewhere(
    select: Select, tmp_path: Path
) -> None:
    s3, jobs = answered(PICTURES), SageMaker(described())
    assert select(s3, jobs, JOB, "--count", "5", "--out", "look").exit_code == 0
    moved = next((tmp_path / "look" / "train").rglob("*.jpg"))
    (tmp_path / "look" / "train" / "other").mkdir()
    moved.rename(tmp_path / "look" / "train" / "other" / moved.name)
    before = laid(tmp_path / "look")
    s3.calls.clear()
    again = select(s3, jobs, JOB, "--count", "5", "--out", "look")
    assert again.exit_code == 0, again.output
    assert "nothing was changed" in again.output
    assert not s3.called("get"), "and nothing is fetched"
    other = select(s3, jobs, JOB, "--count", "6", "--out", "look")
    assert other.exit_code == 1
    assert f"holds another choice: 5 of {JOB}" in " ".join(other.output.split())
    assert laid(tmp_path / "look") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    (tmp_path / "free").mkdir()
    for out, code in (("mine", 1), ("free", 0), ("mine/notes.txt", 1), ("no/where", 1)):
        assert select(s3, jobs, JOB, "--count", "6", "--out", out).exit_code == code, out
    assert laid(tmp_path / "mine") == {"notes.txt": b""}


def test_a_choice_is_the_same_wherever_it_is_made(select: Select, tmp_path: Path) -> None:
    s3, jobs = answered(PICTURES), SageMaker(described())
    for out in ("one", "two"):
        assert select(s3, jobs, JOB, "--count", "7", "--out", out).exit_code == 0
    assert laid(tmp_path / "one") == laid(tmp_path / "two")


def test_more_than_there_are_is_all_there_are(select: Select, tmp_path: Path) -> None:
    done = select(answered(PICTURES), SageMaker(described()), JOB, "--count", "500")
    assert done.exit_code == 0, done.output
    assert len(table(tmp_path / "to-label")) == 26
    assert "There are no more than these to choose; 500 were asked for." in " ".join(done.output.split())


def reencoded(content: bytes) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(content)) as opened:
        opened.resize((90, 90)).save(out, "PNG")
    return out.getvalue()


def test_copies_near_duplicates_and_what_is_broken_or_gone_are_left_out(
    select: Select, tmp_path: Path
) -> None:
    pictures = dict(list(PICTURES.items())[:6])
    pictures |= {
        "pets/copy.jpg": PICTURES["pets/a/00.jpg"],
        "pets/near.png": reencoded(PICTURES["pets/b/01.jpg"]),
        "pets/noend": picture(77),
        "pets/broken.jpg": b"no picture any more",
    }
    s3 = answered(pictures)
    del s3.objects["pets/b/03.jpg"]
    done = select(s3, SageMaker(described()), JOB, "--count", "20", "--json")
    assert done.exit_code == 0, done.output
    assert "1 are copies of others" in done.output
    assert len({"pets/copy.jpg", "pets/a/00.jpg"} & set(s3.called("get"))) == 1, "fetched is one of them"
    keys = {row["key"] for row in table(tmp_path / "to-label")}
    refused = sorted(pictures)[6]
    assert "pets/b/03.jpg" not in keys
    assert "pets/broken.jpg" not in keys
    assert len(keys & {"pets/copy.jpg", "pets/a/00.jpg"}) == 1
    assert len(keys & {"pets/near.png", "pets/b/01.jpg"}) == 1
    named = next(row["file"] for row in table(tmp_path / "to-label") if row["key"] == "pets/noend")
    assert named.endswith(".jpg"), "a picture's name ends as its content is"
    assert keys | {"pets/b/03.jpg", "pets/broken.jpg", "pets/copy.jpg", "pets/near.png", refused} >= set(
        pictures
    ) - {"pets/a/00.jpg", "pets/b/01.jpg"}


def dataset(s3: MemoryS3, *contents: bytes) -> None:
    """The data set `pets` with these pictures, as uploads bring it."""
    pictures = []
    for number, content in enumerate(contents):
        digest = hashlib.sha256(content).hexdigest()
        pictures.append(Picture("ant", "train", f"{number}.jpg", digest, len(content), f"{digest}.jpg"))
        s3.objects[storage.pictures_of("pets") + f"{digest}.jpg"] = content
    parent = store.newest(s3, "data", "pets")
    root = storage.pictures_of("pets")
    draft = store.Draft(dataset="pets", origin="upload", root=root, pictures=pictures, parent=parent)
    store.write(s3, "data", draft)


def test_what_the_models_data_set_has_is_left_out_before_anything_is_fetched(
    select: Select, tmp_path: Path
) -> None:
    s3 = answered(PICTURES)
    there = ["pets/a/00.jpg", "pets/b/01.jpg", "pets/a/02.jpg"]
    dataset(s3, *(PICTURES[key] for key in there))
    s3.calls.clear()
    done = select(s3, SageMaker(described(), dataset="pets@1"), JOB, "--count", "100")
    assert done.exit_code == 0, done.output
    assert "3 are in pets@1 already" in done.output
    assert not {row["key"] for row in table(tmp_path / "to-label")} & set(there)
    assert not set(s3.called("get")) & set(there)
    assert "classifier upload to-label --dataset pets --keep" in done.output
    shutil.rmtree(tmp_path / "to-label")
    dataset(s3, *PICTURES.values())
    done = select(s3, SageMaker(described(), dataset="pets@1"), JOB)
    assert done.exit_code == 1
    assert "in the data set already: there is nothing to label" in " ".join(done.output.split())
    done = select(s3, SageMaker(described()), JOB, "--dataset", "cats")
    assert 'no data set "cats"' in done.output


def test_what_the_data_set_has_is_told_by_its_content_where_s3_does_not_tell(
    select: Select, tmp_path: Path
) -> None:
    s3 = answered(PICTURES)
    dataset(s3, *list(PICTURES.values())[:10])
    place = f"{storage.batch_list(JOB)}{KEYS}"
    listed = [Listed.read(line) for line in gzip.decompress(s3.objects[place]).decode().splitlines()]
    by_key = [each._replace(etag=f"{number}-by-a-kms-key") for number, each in enumerate(listed)]
    s3.objects[place] = gzip.compress("".join(each.line() for each in by_key).encode())
    done = select(s3, SageMaker(described(), dataset="pets@1"), JOB, "--count", "100")
    assert done.exit_code == 0, done.output
    assert "in the data set already" in done.output
    assert not {row["key"] for row in table(tmp_path / "to-label")} & set(list(PICTURES)[:10])


def test_a_folder_that_was_answered_is_copied_from_where_it_is(select: Select, tmp_path: Path) -> None:
    from cli.batch.folder import Folder

    (tmp_path / "Pets" / "deep").mkdir(parents=True)
    for seed in range(5):
        (tmp_path / "Pets" / "deep" / f"{seed}.jpg").write_bytes(picture(seed))
    below = Folder(Path("Pets"), {}, ()).prefix
    s3 = answered({f"{below}deep/{seed}.jpg": picture(seed) for seed in range(5)}, below=below)
    job = described(source=f"s3://data/{below}", named_below=below)
    s3.calls.clear()
    done = select(s3, SageMaker(job), "Pets", "--count", "3")
    assert done.exit_code == 0, done.output
    rows = table(tmp_path / "to-label")
    assert {row["key"] for row in rows} <= {f"deep/{seed}.jpg" for seed in range(5)}
    assert not [key for key in s3.called("get") if key.startswith(below)]
    assert select(s3, SageMaker(job), JOB, "--count", "3", "--out", "fetched").exit_code == 0
    assert laid(tmp_path / "fetched") == laid(tmp_path / "to-label"), "from the bucket they are the same"


def test_json_says_what_was_chosen(select: Select, tmp_path: Path) -> None:
    s3, jobs = answered(PICTURES), SageMaker(described())
    for _ in range(2):
        done = select(s3, jobs, JOB, "--count", "4", "--json")
        told = json.loads(done.stdout)
        assert told["kind"] == "selection"
        assert told["data"]["job"] == JOB
        assert [each["key"] for each in told["data"]["pictures"]] == [
            row["key"] for row in table(tmp_path / "to-label")
        ]


def test_of_an_address_the_newest_batch_with_features_is_taken(select: Select, tmp_path: Path) -> None:
    without = described("classifier-batch-newest")
    del without["HyperParameters"]["features"]
    elsewhere = described("classifier-batch-other", source="s3://data/pets2/")
    done = select(answered(PICTURES), SageMaker(elsewhere, without, described()), "s3://data/pets/")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "to-label" / "selection.json").read_text())["choice"]["job"] == JOB


def test_what_cannot_be_chosen_from_says_what_to_run(select: Select, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    without = described()
    del without["HyperParameters"]["features"]
    training = described("classifier-x-final") | {"Environment": {}}
    for jobs, asked, says in (
        ([], "s3://data/pets", "No batch has answered s3://data/pets yet. Run one, with features: "
         "`classifier batch s3://data/pets --features`"),
        ([], "empty", "classifier batch empty --features"),
        ([], "nowhere", "There is no folder nowhere, and no batch of that name"),
        ([], "no such/place", "There is no folder no such/place"),
        ([training], "classifier-x-final", "no batch of that name"),
        ([without], "s3://data/pets", "kept no features, by which pictures are chosen. Ask for them: "
         "`classifier batch s3://data/pets --features`"),
        ([without], JOB, "classifier batch s3://data/pets/ --features"),
        ([described(status="InProgress")], JOB, f"is not done yet. Follow it: `classifier batch --job {JOB}"),
        ([described(status="InProgress")], "s3://data/pets", "is not done yet"),
        ([described(status="Failed")], JOB, "did not come to its end (Failed). Go on with it"),
    ):  # fmt: skip
        done = select(answered(PICTURES), SageMaker(*jobs), asked)
        assert done.exit_code == 1, done.output
        assert says in " ".join(done.output.split()), done.output
        assert not (tmp_path / "to-label").exists()


def test_what_is_gone_or_does_not_fit_is_said(select: Select, tmp_path: Path) -> None:
    place = f"batch/answers/{JOB}/output/model/"

    def lacking(key: str, **to: bytes) -> str:
        s3 = answered(PICTURES)
        for each in [each for each in s3.objects if each.startswith(key)]:
            del s3.objects[each]
            if to:
                s3.objects[each] = to["content"]
        done = select(s3, SageMaker(described()), JOB)
        assert done.exit_code == 1, done.output
        assert list(tmp_path.iterdir()) == []
        return " ".join(done.output.split())

    few = io.BytesIO()
    np.save(few, np.zeros((3, 16), np.float16))
    assert "is gone" in lacking(f"{place}features")
    assert "is gone" in lacking(f"{place}answers")
    assert "The list of the pictures" in lacking("batch/lists/")
    assert "are gone from s3://data/pets/" in lacking("pets/")
    assert "26 answers beside 3 rows" in lacking(f"{place}features", content=few.getvalue())
    assert "cannot be read" in lacking(f"{place}features", content=b"nothing of numpy's")


def test_on_aws_what_is_fetched_is_said_and_asked_before(
    select: Select, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Target, "region", "eu-west-1")
    s3 = answered(PICTURES)
    done = select(s3, SageMaker(described()), JOB, kind="aws", text="n\n")
    assert done.exit_code == 1
    assert (
        "This fetches the answers and features of classifier-batch-0a1b2c3d (version 3 on s3://data/pets/)"
        in (" ".join(done.output.split()))
    )
    assert "for at most less than 0.01 USD" in done.output
    assert not s3.called("get")
    assert select(s3, SageMaker(described()), JOB, "--yes", kind="aws").exit_code == 0


def test_names_that_folders_cannot_have_are_none_of_the_folders_names() -> None:
    names = ["a/../../x.jpg", "..jpg", ".hidden.png", "ü b?c*.jpg", "x" * 300, "same.jpg", "other/same.jpg"]
    made = [folders._file_name(name) for name in names]
    assert len(set(made)) == len(names)
    for name in made:
        assert "/" not in name
        assert not name.startswith((".", "-"))
        assert len(name.encode()) < 200
