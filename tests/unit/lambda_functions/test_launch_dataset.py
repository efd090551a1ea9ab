"""A run reads one version of a data set: found without a list of its pictures, made where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract import storage
from contract.datasets import manifest, plain, store
from contract.datasets.manifest import Origin, Picture, Version
from functions.launch_training.handler import handler as launch_training
from functions.launch_tuning.handler import handler as launch_tuning
from tests.unit.lambda_functions.fakes import Context, World, sagemaker_event

PAYLOAD: dict[str, Any] = {"recipe": "digits", "dataset": "digits"}
DRY = {"dry_run": True}


def tune(payload: dict[str, Any], request_id: str = "request-1") -> dict[str, Any]:
    return launch_tuning({**PAYLOAD, **payload}, Context(request_id))


def uploaded(world: World, name: str = "pets", classes: str = "ab", train: int = 8, at: str = "") -> Version:
    """A version as `classifier upload` writes it."""
    pictures = [
        Picture(
            label=label,
            split=split,
            name=f"{number}.png",
            content=f"{label}{split}{number}",
            size=1,
            key=f"{label}{split}{number}.png",
        )
        for label in classes
        for split, count in (("train", train), ("valid", 1), ("test", 1))
        for number in range(count)
    ]
    client = world.s3.client
    draft = store.Draft(
        dataset=name,
        origin=Origin.UPLOAD,
        root=storage.pictures_of(name),
        pictures=pictures,
        parent=store.newest(client, "data", name),
        plain=at,
    )
    return store.write(client, "data", draft)


def channels(job: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {
        each["ChannelName"]: (source["S3DataType"], source["S3Uri"], each["InputMode"])
        for each in job["InputDataConfig"]
        for source in (each["DataSource"]["S3DataSource"],)
    }


def definition(world: World) -> dict[str, Any]:
    (request,) = world.sagemaker.called("CreateHyperParameterTuningJob")
    found: dict[str, Any] = request["TrainingJobDefinition"]
    return found


def listed(world: World) -> list[str]:
    return [
        params.get("Prefix", "")
        for params in world.s3.called("ListObjectsV2")
        if params["Bucket"] == "data" and params.get("MaxKeys") != 1
    ]


def refusal(payload: dict[str, Any]) -> str:
    """The message, which a dry run has too; neither starts or writes anything."""
    dry, real = tune({**payload, **DRY}), tune(payload, "request-2")
    assert dry["error"] == real["error"]
    assert real["error"]["code"] in ("InvalidDataset", "UnknownDataset", "InvalidRecipe")
    return str(real["error"]["message"])


def test_a_job_gets_the_files_that_the_version_lists_and_the_lists(world: World) -> None:
    version = uploaded(world)
    tune({"dataset": "pets"})
    lists = "s3://data/datasets/pets/versions/1"
    assert channels(definition(world)) == {
        **{
            split: ("ManifestFile", f"{lists}/{split}.manifest", "File")
            for split in ("train", "valid", "test")
        },
        "dataset": ("ManifestFile", f"{lists}/shards.manifest", "File"),
        "code": ("S3Prefix", "s3://artifacts/code/abc/", "File"),
    }
    for name in ("train", "valid", "test", "shards"):
        prefix, *keys = world.s3.json("data", f"datasets/pets/versions/1/{name}.manifest")
        assert prefix == {"prefix": "s3://data/"}
        assert keys == (list(version.shards) if name == "shards" else [key for key in keys if name in key])
        assert keys


def test_in_fast_file_mode_a_job_is_shown_the_prefix_that_all_pictures_are_below(world: World) -> None:
    uploaded(world)
    tune({"dataset": "pets", "resources": {"input_mode": "FastFile"}})
    found = channels(definition(world))
    assert found["train"] == ("S3Prefix", "s3://data/datasets/pets/pictures/", "FastFile")
    assert found["dataset"] == ("ManifestFile", "s3://data/datasets/pets/versions/1/shards.manifest", "File")


def test_a_version_is_found_without_listing_anything(world: World) -> None:
    uploaded(world)
    tune({"dataset": "pets"})
    assert listed(world) == [storage.versions_of("pets")]  # by the upload above
    assert [
        params["Prefix"] for params in world.s3.called("ListObjectsV2") if params.get("MaxKeys") == 1
    ] == ["pets/"]


def test_the_answer_the_record_the_tags_and_the_job_name_the_version(world: World) -> None:
    uploaded(world)
    uploaded(world, classes="abc")
    answer = tune({"dataset": "pets"})
    assert answer["dataset"] == "pets@2"
    assert "on pets@2" in answer["started"]
    record = world.s3.json("artifacts", f"runs/{answer['run']}/run.json")
    assert (record["dataset"], record["dataset_version"]) == ("pets", 2)
    fixed = definition(world)["StaticHyperParameters"]
    assert (fixed["dataset"], fixed["dataset_version"]) == ("pets", "2")
    (request,) = world.sagemaker.called("CreateHyperParameterTuningJob")
    assert {"Key": "dataset-version", "Value": "2"} in request["Tags"]


def test_an_older_version_is_named_with_its_number(world: World) -> None:
    uploaded(world)
    uploaded(world, classes="abc")
    world.s3.put("data", "pets/train/x/past.png", "past")  # NAME@N is as it is
    assert tune({"dataset": "pets@1"})["dataset"] == "pets@1"
    assert "/versions/1/" in channels(definition(world))["train"][1]


def test_the_last_training_reads_the_version_of_its_search(world: World) -> None:
    uploaded(world)
    run = tune({"dataset": "pets"})["run"]
    uploaded(world, classes="abc")
    world.sagemaker.tuning_jobs[run] |= {
        "HyperParameterTuningJobStatus": "Completed",
        "BestTrainingJob": {"TrainingJobName": f"{run}-001", "TunedHyperParameters": {"batch_size": "16"}},
    }
    event = sagemaker_event(
        "SageMaker HyperParameter Tuning Job State Change", {"HyperParameterTuningJobName": run}
    )
    launch_training(event, Context())
    (job,) = world.sagemaker.called("CreateTrainingJob")
    assert "/versions/1/" in channels(job)["train"][1]
    assert job["HyperParameters"]["dataset_version"] == "1"


def test_the_record_of_an_older_deployment_is_read_and_its_prefixes_are_used(world: World) -> None:
    run = tune({})["run"]
    key = f"runs/{run}/run.json"
    record = world.s3.json("artifacts", key)
    del record["dataset_version"], record["pictures"]
    world.s3.put("artifacts", key, json.dumps(record))
    world.sagemaker.tuning_jobs[run] |= {
        "HyperParameterTuningJobStatus": "Completed",
        "BestTrainingJob": {"TrainingJobName": f"{run}-001", "TunedHyperParameters": {}},
    }
    event = sagemaker_event(
        "SageMaker HyperParameter Tuning Job State Change", {"HyperParameterTuningJobName": run}
    )
    launch_training(event, Context())
    (job,) = world.sagemaker.called("CreateTrainingJob")
    assert channels(job)["train"] == ("S3Prefix", "s3://data/digits/train/", "File")
    assert "dataset" not in channels(job)
    assert "dataset_version" not in job["HyperParameters"]


def test_what_a_sync_brought_becomes_a_version_when_a_run_begins(world: World) -> None:
    dry = tune(DRY)
    assert (dry["statusCode"], dry["dataset"], dry["notes"]) == (200, "digits@1", [])
    assert "on digits@1" in dry["would_start"]
    assert not world.s3.called("PutObject")
    assert tune({})["dataset"] == "digits@1"
    version = store.newest(world.s3.client, "data", "digits")
    assert version is not None
    assert (version.origin, version.root, version.pictures) == ("adopted", "digits/", 20)
    assert "train/0/a.png" in world.s3.objects["data", "datasets/digits/versions/1/train.manifest"].decode()
    before = dict(world.s3.objects)
    assert tune({}, "request-2")["dataset"] == "digits@1"
    assert {key for key in world.s3.objects if key[0] == "data"} == {
        key for key in before if key[0] == "data"
    }


def test_a_sync_that_changed_something_becomes_the_next_version(world: World) -> None:
    tune({})
    world.s3.put("data", "digits/train/0/new.png", "new")
    assert tune(DRY, "request-3")["dataset"] == "digits@2"
    assert tune({}, "request-2")["dataset"] == "digits@2"
    assert tune({}, "request-1")["dataset"] == "digits@1", "a repeated request answers the same"


def test_a_request_that_costs_too_much_adopts_nothing(world: World) -> None:
    assert tune({"max_cost_usd": 0.01})["error"]["code"] == "CostTooHigh"
    assert not world.s3.called("PutObject")


def test_two_that_adopt_at_once_use_one_version(world: World) -> None:
    put = world.s3.on["PutObject"]

    def other_first(params: dict[str, Any]) -> dict[str, Any]:
        if params["Key"] == storage.version_of("digits", 1):
            world.s3.on["PutObject"] = put
            assert tune({}, "request-2")["dataset"] == "digits@1"
        return put(params)

    world.s3.on["PutObject"] = other_first
    assert tune({})["dataset"] == "digits@1"
    assert world.s3.keys("data", "datasets/digits/versions/1.json")
    assert not world.s3.keys("data", "datasets/digits/versions/2")


def test_pictures_that_came_past_an_upload_are_said_and_nothing_starts(world: World) -> None:
    uploaded(world)
    world.s3.put("data", "pets/train/x/past.png", "past")
    message = refusal({"dataset": "pets"})
    assert "changed past `classifier upload` after version 1" in message
    assert "`classifier dataset pets --adopt`" in message
    assert "name the data set pets@1" in message
    assert tune({"dataset": "pets@1"}, "request-3")["statusCode"] == 202


def test_what_the_upload_knew_of_is_no_change(world: World) -> None:
    world.s3.put("data", "pets/train/x/before.png", "before")
    uploaded(world, at=plain.look(world.s3.client, "data", "pets").digest)
    assert tune({"dataset": "pets"})["dataset"] == "pets@1"


def test_too_many_objects_are_not_listed_in_a_function(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MOST_IN_A_FUNCTION", 5)
    world.s3.page = 3
    assert "`classifier dataset digits --adopt` once" in refusal({})
    client = world.s3.client
    plain.adopt(client, "data", plain.look(client, "data", "digits"), None)
    world.s3.calls.clear()
    dry = tune(DRY)
    assert dry["dataset"] == "digits@1"
    assert "too many objects to see here whether they changed since digits@1" in dry["notes"][0]
    assert listed(world) == ["digits/"] * 2
    assert tune({}, "request-3")["dataset"] == "digits@1"


@pytest.mark.parametrize(
    ("dataset", "says"),
    [
        ("digit", 'did you mean "digits"?'),
        ("petz", 'did you mean "pets"?'),
        ("petz@3", 'did you mean "pets"?'),
        ("nothing", "there are: digits, pets (upload one"),
        ("pets@2", 'the data set "pets" has no version 2; there are: 1'),
        ("digits@1", 'the data set "digits" has no version 1; there are: none'),
    ],
)
def test_a_data_set_that_is_not_there_is_answered_with_those_that_are(
    world: World, dataset: str, says: str
) -> None:
    uploaded(world)
    assert says in refusal({"dataset": dataset})


@pytest.mark.parametrize("dataset", ["datasets", "a@", "a@0", "a@-1", "a@1.5", "a@1@2", "@1", "a/b"])
def test_what_is_no_name_of_a_version_is_refused(world: World, dataset: str) -> None:
    assert tune({"dataset": dataset})["error"]["code"] == "InvalidPayload"


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("train/9/a.png", "no picture of 9 in valid"),
        ("valid/9/a.png", "no picture of 9 in train"),
        ("train/0//b.png", "keys that cannot be files"),
        ("train/0/../b.png", "keys that cannot be files"),
        ("train/0", "objects below another object"),
        ("train/train.tar", "is packed in part only: valid, test"),
    ],
)
def test_what_a_job_would_fail_on_is_found_before(world: World, key: str, says: str) -> None:
    world.s3.put("data", f"digits/{key}", "other")
    assert says in refusal({})
    assert not world.s3.called("PutObject")


def test_what_is_no_picture_is_left_alone(world: World) -> None:
    for key in ("__MACOSX/train/0/._a.png", "train/__MACOSX/x.png", "train/.hidden/x.png", "notes.txt"):
        world.s3.put("data", f"digits/{key}", key)
    assert tune({})["dataset"] == "digits@1"
    version = store.read(world.s3.client, "data", "digits", 1)
    assert (set(version.classes), version.pictures) == ({"0", "1"}, 20)


def test_copies_and_contradictions_are_left_out_and_counted(world: World) -> None:
    world.s3.put("data", "digits/train/0/copy.png", "train/0/a")
    world.s3.put("data", "digits/train/0/b.png", "train/1/b")
    notes = tune(DRY)["notes"]
    assert [note.split(" ")[0] for note in notes] == ["1", "1"]
    assert "several classes" in notes[1]


def test_packed_splits_are_read_as_ever(world: World) -> None:
    for split in ("train", "valid", "test"):
        world.s3.put("data", f"boxes/{split}/{split}.tar", split)
    answer = tune({"dataset": "boxes"})
    assert (answer["statusCode"], answer["dataset"]) == (202, "boxes@1")
    found = channels(definition(world))
    assert found["train"] == ("S3Prefix", "s3://data/boxes/train/", "File")
    assert "dataset" not in found


@pytest.mark.parametrize("files", [("newest.json",), ("versions/1.json",)])
def test_a_damaged_version_is_the_data_sets_fault_and_named(world: World, files: tuple[str, ...]) -> None:
    uploaded(world)
    for file in files:
        world.s3.put("data", f"datasets/pets/{file}", "{")
    assert f"datasets/pets/{files[0]}" in refusal({"dataset": "pets"})


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"training": {"batch_size": 65536}}, "batch_size = 65536 is more than the 16 training pictures"),
        ({"final": {"batch_size": 65536}}, "batch_size = 65536"),
        (
            {"tuning": {"ranges": {"batch_size": {"type": "integer", "min": 8, "max": 4096}}}},
            "batch_size = 4096",
        ),
        (
            {"data": {"train_fraction": 0.1}},
            "train_fraction = 0.1 leaves less than one training picture of 0, 1 in digits@1, whose smallest "
            "class has 8; it has to be at least 0.125",
        ),
        ({"final": {"train_fraction": 0.0001}}, "train_fraction = 0.0001"),
        ({"resources": {"instance_count": 9}}, "16 training pictures of digits@1 are too few"),
    ],
)
def test_what_does_not_suit_the_pictures_is_found_before_a_search(
    world: World, payload: dict[str, Any], says: str
) -> None:
    assert says in refusal(payload)
    assert not world.s3.called("PutObject")


def test_a_few_pictures_may_be_one_step_and_a_small_share_may_leave_one(world: World) -> None:
    assert tune({"training": {"batch_size": 256}, "data": {"train_fraction": 0.125}})["statusCode"] == 202


def test_by_hand_only_the_trainings_own_values_count(world: World) -> None:
    asked = {**PAYLOAD, "final": {"batch_size": 65536}, "hyperparameters": {"batch_size": 8}}
    assert launch_training(asked, Context())["statusCode"] == 202
    asked["hyperparameters"] = {"batch_size": 65536}
    assert launch_training(asked, Context("request-2"))["error"]["code"] == "InvalidRecipe"


def test_lists_are_in_the_form_of_sagemaker(world: World) -> None:
    listed_keys = json.loads(manifest.channel_list("data", ["a/ü.png"]))
    assert listed_keys == [{"prefix": "s3://data/"}, "a/ü.png"]
