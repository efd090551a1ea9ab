"""`classifier batch`: a folder is sent as it is, a job followed, and its instances' answers put together."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli.batch import folder as folders
from cli.batch import job as jobs
from cli.commands import batch as command
from cli.data.findings import BadDataset
from cli.runs import following
from cli.target import Target
from contract import storage
from contract.batch import COLUMNS, KEYS, Listed, Summary
from contract.datasets import store
from contract.datasets.manifest import Picture
from contract.datasets.store import Draft
from tests.unit.cli.conftest import Paginated, Terminal, client_error, png
from tests.unit.cli.runs.test_launch import Function
from tests.unit.memory_s3 import MemoryS3

JOB = "classifier-batch-0a1b2c3d"
PLACE = f"batch/answers/{JOB}/output/model/"


def described(shares: int = 2, count: int = 3, form: str = "jsonl", **more: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": JOB,
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "HyperParameters": {"source": "s3://data/pets/", "pictures": str(count), "format": form},
        "Environment": {"JOB_PACKAGE": "batch"},
        "ResourceConfig": {"InstanceCount": shares},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800, "MaxWaitTimeInSeconds": 3600},
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://artifacts/{PLACE}"},
        "InputDataConfig": [
            {
                "ChannelName": "list",
                "DataSource": {"S3DataSource": {"S3Uri": f"s3://artifacts/{storage.batch_list(JOB)}"}},
            }
        ],
        **more,
    }


def summary(keys: list[str], **more: Any) -> str:
    refused = {"EmptyBody": 1} if "empty" in keys else {}
    classes = {"ant": len(keys) - len(refused)}
    made = Summary(source="s3://data/pets/", model={"name": "m", "version": "3"}, pictures=len(keys), **more)
    made.classes, made.refused = classes, refused
    return made.write()


def left(*shares: list[str], form: str = "jsonl") -> MemoryS3:
    """What a job's instances left that answered these pictures."""
    s3 = MemoryS3()
    for number, keys in enumerate(shares, 1):
        name = f"{number}-of-{len(shares)}"
        head = ",".join(COLUMNS) + "\n" if form == "csv" else ""
        lines = [f"{key},x\n" if form == "csv" else json.dumps({"key": key}) + "\n" for key in keys]
        s3.objects[f"{PLACE}answers-{name}.{form}"] = (head + "".join(lines)).encode()
        s3.objects[f"{PLACE}summary-{name}.json"] = summary(keys).encode()
    return s3


class Jobs(Paginated):
    """SageMaker, whose one job is described so."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__()
        self.job = job

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        if TrainingJobName != JOB:
            raise client_error("ValidationException")
        return self.job

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        return {"CustomerMetadataProperties": {"dataset": "pets@1"}}


def test_the_answers_of_all_instances_are_one_file(target: Any, tmp_path: Path) -> None:
    s3 = left(["a", "b"], ["empty"])
    found, answers, page = jobs.fetch(target(s3=s3), described(), tmp_path / "out")
    assert [json.loads(line)["key"] for line in answers.read_text().splitlines()] == ["a", "b", "empty"]
    assert (found.pictures, found.answered, found.refused) == (3, 2, {"EmptyBody": 1})
    assert answers == tmp_path / "out" / "answers.jsonl"
    assert "Of 3 pictures 2 have an answer" in page.read_text()
    assert Summary.read((tmp_path / "out" / "summary.json").read_text()).pictures == 3


def test_the_columns_are_named_once(target: Any, tmp_path: Path) -> None:
    s3 = left(["a", "b"], ["empty"], form="csv")
    _, answers, page = jobs.fetch(target(s3=s3), described(form="csv"), tmp_path / "pets.csv")
    assert answers.read_text().splitlines() == [",".join(COLUMNS), "a,x", "b,x", "empty,x"]
    assert page == tmp_path / "pets.html"


def test_what_lacks_a_line_is_not_taken(target: Any, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    out.write_text("older")
    with pytest.raises(jobs.UnreadableAnswers, match="was to answer 4 pictures and left 3 lines"):
        jobs.fetch(target(s3=left(["a", "b"], ["c"])), described(count=4), out)
    assert out.read_text() == "older"


def test_what_is_gone_or_something_else_is_named(target: Any, tmp_path: Path) -> None:
    s3 = left(["a"])
    s3.objects[f"{PLACE}summary-1-of-1.json"] = b"[]"
    with pytest.raises(jobs.UnreadableAnswers, match="cannot be read"):
        jobs.fetch(target(s3=s3), described(1, 1), tmp_path / "out")
    s3.objects.clear()
    with pytest.raises(following.JobFailed, match="is gone"):
        jobs.fetch(target(s3=s3), described(1, 1), tmp_path / "out")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    place = tmp_path / "Holiday"
    for name in ("a.png", "deep/b.png", ".git/c.png", "deep/Thumbs.db", "c.gif", "README.md"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(png(len(name)))
    return place


class Sending(MemoryS3):
    """With the events that a sender learns from."""


def test_a_folder_is_sent_once_and_kept_as_it_is(target: Any, pictures: Path) -> None:
    s3 = Sending()
    here = target(s3=s3)
    folder = folders.look(pictures)
    assert folder.prefix.startswith("_batch/holiday-")

    def send() -> folders.Todo:
        folder = folders.look(pictures)
        todo = folders.missing(s3, "data", folder)
        folders.send(here, "data", folder, todo)
        return todo

    assert set(send().new) == {"a.png", "deep/b.png", "c.gif"}
    assert s3.objects[f"{folder.prefix}deep/b.png"] == (pictures / "deep" / "b.png").read_bytes()
    assert (send().new, send().present) == ((), 3)
    (pictures / "a.png").write_bytes(png(77))
    (pictures / "c.gif").unlink()
    todo = send()
    assert (todo.new, todo.gone) == (("a.png",), ("c.gif",))
    assert {key.removeprefix(folder.prefix) for key in s3.objects} == {"a.png", "deep/b.png"}


def test_two_folders_of_one_name_have_places_of_their_own(tmp_path: Path) -> None:
    for parent in ("x", "y"):
        (tmp_path / parent / "pets").mkdir(parents=True)
        (tmp_path / parent / "pets" / "a.png").write_bytes(b"a")
    x, y = (folders.look(tmp_path / parent / "pets").prefix for parent in ("x", "y"))
    assert x != y


def test_what_cannot_be_sent_is_left_out_by_name(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MAX_PICTURE_BYTES", 1000)
    (pictures / "huge.png").write_bytes(b"x" * 1001)
    (pictures / ("n" * 200)).mkdir()
    (pictures / "gone.png").symlink_to(pictures / "nowhere")
    (pictures / os.fsdecode(b"\xff.png")).touch()
    folder = folders.look(pictures)
    assert set(folder.files) == {"a.png", "deep/b.png", "c.gif"}
    told = {each.path: each.why for each in folder.left_out}
    assert told == {
        "README.md": "is not a picture by its name",
        "gone.png": "is no file",
        "huge.png": "has more than 1,000 bytes",
        "?.png": "has a name that is no Unicode text",
    }


def test_files_that_are_no_pictures_are_counted_and_not_sent(
    target: Any, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "deep" / "sizes.csv").write_text("a,b")
    (pictures / "phone.heic").write_bytes(b"x")
    s3 = MemoryS3()
    done = run(deployed(target, s3, launcher()), monkeypatch, str(pictures))
    assert done.exit_code == 0, done.output
    assert "3 files are sent" in done.output
    assert "2 not pictures (skipped):\n  README.md is not a picture by its name\n" in done.output
    assert "phone.heic is HEIC, which training and the endpoint do not take" in done.output
    assert {Path(key).suffix for key in s3.objects} == {".png", ".gif"}


def test_a_folder_in_it_that_may_not_be_read_is_left_out_by_name(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir, closed = os.scandir, str(pictures / "deep")

    def listing(place: Any) -> Any:
        if str(place) == closed:
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", listing)
    folder = folders.look(pictures)
    assert set(folder.files) == {"a.png", "c.gif"}
    assert ("deep/", "cannot be read: Permission denied") in [
        (each.path, each.why) for each in folder.left_out
    ]


def test_no_folder_and_an_empty_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").touch()
    for name, says in (
        ("nowhere", "There is no folder"),
        ("file", "is a file"),
        ("empty", "no picture in"),
        ("text", "no picture in .*a.txt is not"),
    ):
        with pytest.raises(BadDataset, match=says):
            folders.look(tmp_path / name)


def run(target: Target, monkeypatch: pytest.MonkeyPatch, *arguments: str, text: str = "") -> Any:
    monkeypatch.setattr("cli.commands.options.resolve", lambda kind: target)
    monkeypatch.setattr(command, "outputs", lambda target, stack: {"DataBucket": "data"})
    return Terminal().invoke(command.batch, arguments, input=text)


def launcher() -> Function:
    answer = {"statusCode": 202, "training_job": JOB, "run": JOB, "started": "version 3 answers 3 pictures"}
    watch = {"console": "https://console", "log": "aws logs tail"}
    return Function(answer | {"cost": {"most_usd": 0.42, "explained": "1 batch job"}, "watch": watch})


def deployed(target: Any, s3: MemoryS3, function: Function, kind: str = "local", **job: Any) -> Target:
    class ResourceNotFoundException(Exception):
        pass

    logs = Paginated(filter_log_events_pages=lambda **_: [{"events": []}])
    logs.exceptions = type("exceptions", (), {"ResourceNotFoundException": ResourceNotFoundException})
    made: Target = target(kind, s3=s3, sagemaker=Jobs(described(**job)), logs=logs, **{"lambda": function})
    return made


def test_a_folder_is_answered_with_its_cost_said_first(
    target: Any, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, function = left(["a.png", "deep/b.png"], ["c.gif"]), launcher()
    here = deployed(target, s3, function)
    out = tmp_path / "answers.jsonl"
    arguments = (str(pictures), "--version", "3", "--max-cost", "2", "--instances", "2", "--out", str(out))
    done = run(here, monkeypatch, *arguments)
    assert done.exit_code == 0, done.output
    asked = {
        "version": 3,
        "format": "jsonl",
        "afresh": False,
        "spot": True,
        "instance_count": 2,
        "max_cost_usd": 2.0,
        "source": f"s3://data/{folders.look(pictures).prefix}",
        "relative": True,
    }
    dry, real = function.requests
    assert dry == ("classifier-launch-batch", {**asked, "expected": 3, "dry_run": True})
    assert real == ("classifier-launch-batch", asked)
    assert "on AWS at most 0.42 USD" in done.output.replace("\n", " ")
    assert len(out.read_text().splitlines()) == 3


def test_what_was_started_is_told_with_its_machines(
    target: Any, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = {"instance_type": "ml.c7i.large", "instance_count": 1}

    class Launcher(Function):
        """Says what machines there are of a dry run only, as the real one does."""

        def invoke(self, **request: Any) -> Any:
            dry = json.loads(request["Payload"]).get("dry_run")
            told = {"machines": machines} if dry else {}
            return Function({**launcher().answer, **told}).invoke(**request)

    here = deployed(target, MemoryS3(), Launcher({}))
    told = json.loads(run(here, monkeypatch, str(pictures), "--json").stdout)
    assert told["data"]["machines"] == machines


def test_a_dry_run_sends_and_starts_nothing(
    target: Any, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, function = MemoryS3(), launcher()
    options = ("--dry-run", "--on-demand", "--features")
    done = run(deployed(target, s3, function), monkeypatch, str(pictures), *options)
    assert done.exit_code == 0, done.output
    assert not s3.called("put")
    ((_, request),) = function.requests
    assert (request["dry_run"], request["spot"], request["features"]) == (True, False, True)


def test_on_aws_nothing_is_sent_or_started_before_somebody_agrees(
    target: Any, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, function = MemoryS3(), launcher()
    monkeypatch.setattr(Target, "region", "eu-west-1")
    monkeypatch.setattr(command, "before_launching", lambda target, planned, anyway: None)
    done = run(deployed(target, s3, function, "aws"), monkeypatch, str(pictures), text="n\n")
    assert done.exit_code == 1
    assert "billed by the second" in done.output
    assert "This sends 3 files" in done.output
    assert not s3.called("put")
    assert [request["dry_run"] for _, request in function.requests] == [True]


def test_an_address_is_answered_where_it_lies(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3, function = MemoryS3(), launcher()
    done = run(deployed(target, s3, function), monkeypatch, "s3://data/pets", "--format", "csv", "--afresh")
    assert done.exit_code == 0, done.output
    _, request = function.requests[-1]
    assert request == {"source": "s3://data/pets", "format": "csv", "afresh": True, "spot": True}
    assert f"classifier batch --job {JOB} --out FOLDER" in done.output.replace("\n", " ")
    assert not s3.calls


def test_a_job_is_come_back_to(target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = launcher()
    here = deployed(target, left(["a"]), function, shares=1, count=1)
    done = run(here, monkeypatch, "--job", JOB, "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "1 pictures: 1 answered, 0 not." in done.output
    assert "classifier select" not in done.output
    assert not function.requests
    done = run(here, monkeypatch, "--job", JOB)
    assert f"s3://artifacts/{PLACE}" in done.output.replace("\n", "")


PETS = Draft(
    dataset="pets",
    origin="upload",
    root="pictures/",
    pictures=[Picture("ant", "train", "1.png", "0a", 1, "1")],
    parent=None,
)
PACKAGE = "arn:aws:sagemaker:us-east-1:000000000000:model-package/classifier/3"


@pytest.mark.parametrize(
    ("keys", "features", "known", "hinted"),
    [
        (["pets/train/ant/a.png", "pets/ant/b.png"], True, True, False),
        ([f"{storage.pictures_of('pets')}0a.png"], True, True, False),
        (["pets/train/ant/a.png", "pets/b.png"], True, True, True),
        (["pets/2024/a.png", "pets/2025/ant.png"], True, True, True),
        (["pets/train/ant/a.png"], True, False, True),
        (["pets/a.png"], False, True, False),
    ],
)
def test_choosing_what_to_label_is_offered_where_labels_are_not_known_and_features_are(
    target: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: list[str],
    features: bool,
    known: bool,
    hinted: bool,
) -> None:
    s3 = left(["a"])
    if known:
        store.write(s3, "data", PETS)
    listed = "".join(Listed(key, "etag", 1).line() for key in keys)
    s3.objects[f"{storage.batch_list(JOB)}{KEYS}"] = gzip.compress(listed.encode())
    here = deployed(target, s3, launcher(), shares=1, count=1)
    job = here.client("sagemaker").job
    job["HyperParameters"] |= {"features": "true"} if features else {}
    job["Environment"]["MODEL_PACKAGE_ARN"] = PACKAGE
    for arguments in ((), ("--out", str(tmp_path / "out"))):
        done = run(here, monkeypatch, "--job", JOB, *arguments)
        assert done.exit_code == 0, done.output
        assert (f"classifier select {JOB}" in done.output) == hinted


@pytest.mark.parametrize("lost", [True, False])
def test_answers_are_fetched_whoever_may_not_look_whether_labels_are_known(
    target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    s3 = left(["a"])
    store.write(s3, "data", PETS)
    s3.objects[f"{storage.batch_list(JOB)}{KEYS}"] = gzip.compress(
        Listed("pets/a.png", "etag", 1).line().encode()
    )
    here = deployed(target, s3, launcher(), shares=1, count=1)
    sagemaker = here.client("sagemaker")
    sagemaker.job["HyperParameters"]["features"] = "true"
    sagemaker.job["Environment"]["MODEL_PACKAGE_ARN"] = PACKAGE
    if lost:
        del s3.objects[storage.version_of("pets", 1)]
    else:
        monkeypatch.setattr(sagemaker, "describe_model_package", denied, raising=False)
    done = run(here, monkeypatch, "--job", JOB, "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert f"classifier select {JOB}" in done.output


def denied(**_: Any) -> None:
    raise client_error("AccessDeniedException")


def test_a_job_that_was_stopped_says_that_its_answers_are_kept(
    target: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for secondary, says in (
        ("MaxRuntimeExceeded", "30 minutes; give it more with --max-minutes"),
        ("MaxWaitTimeExceeded", "60 minutes in all"),
        ("Stopped", "was stopped"),
    ):
        stopped = {"TrainingJobStatus": "Stopped", "SecondaryStatus": secondary}
        done = run(deployed(target, MemoryS3(), launcher(), **stopped), monkeypatch, "--job", JOB)
        assert done.exit_code == 1
        assert says in done.output
        assert "the same command goes on from there" in done.output


def test_what_does_not_go_together_is_refused_before_anything_is_started(
    target: Any, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file.txt").touch()
    for arguments, says in (
        ((), "Give s3://BUCKET/PREFIX"),
        ((str(pictures), "--job", JOB), "Give s3://BUCKET/PREFIX"),
        (("--job", JOB, "--afresh"), "--job goes with --out alone"),
        (("--job", JOB, "--dry-run"), "--job goes with --out alone"),
        ((str(pictures), "--version", "latest"), "no version of the registry"),
        ((str(pictures), "--format", "csv", "--out", "x.jsonl"), "does not go with"),
        ((str(pictures), "--out", str(tmp_path / "file.txt")), "ends in .jsonl or .csv"),
        ((str(pictures), "--out", str(tmp_path / "no" / "x.csv")), "There is no folder"),
        ((str(tmp_path / "nowhere"),), "There is no folder"),
    ):
        function = launcher()
        done = run(deployed(target, MemoryS3(), function), monkeypatch, *arguments)
        assert done.exit_code in (1, 2), done.output
        assert says in " ".join(done.output.split()), done.output
        assert not function.requests
