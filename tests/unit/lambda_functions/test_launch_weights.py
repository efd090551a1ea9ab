"""Weights of another network are found before a search, not by its last training."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch

from functions.launch_training.handler import handler as launch_training
from functions.launch_tuning.handler import handler as launch_tuning
from tests.unit.lambda_functions.fakes import Context, World
from tests.unit.lambda_functions.weight_files import names_of, weights_of

PAYLOAD: dict[str, Any] = {"recipe": "digits", "dataset": "digits"}
STAGED = "s3://artifacts/weights/imagenet/{}.safetensors"
OTHER_NETWORK = {"type": "categorical", "values": ["resnet50"]}
MINE = "s3://artifacts/weights/mine.safetensors"


def stage(world: World, *archs: str) -> None:
    for arch in archs:
        world.s3.put("artifacts", f"weights/imagenet/{arch}.safetensors", weights_of(arch))


def tune(payload: dict[str, Any], request_id: str = "request-1") -> dict[str, Any]:
    return launch_tuning({**PAYLOAD, **payload}, Context(request_id))


def refused(world: World, payload: dict[str, Any]) -> str:
    dry, real = tune({**payload, "dry_run": True}), tune(payload, "request-2")
    assert dry["error"] == real["error"]
    assert not world.sagemaker.tuning_jobs
    assert not world.s3.called("PutObject")
    return str(real["error"]["message"])


def torch_file(arch: str, *, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    state = {name: torch.zeros(500) for name in names_of(arch)}
    torch.save(state, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue() + bytes(100_000)


def test_a_last_training_of_another_network_has_that_ones_imagenet_weights(world: World) -> None:
    stage(world, "resnet18", "resnet50")
    run = tune({"final": {"arch": "resnet50"}})["run"]
    tables = world.s3.json("artifacts", f"runs/{run}/run.json")["recipe"]["tables"]
    assert tables["model"]["weights"] == STAGED.format("resnet18")
    assert tables["final"] == {"epochs": 8, "arch": "resnet50", "weights": STAGED.format("resnet50")}


def test_where_those_are_not_staged_the_last_training_downloads_them(world: World) -> None:
    stage(world, "resnet18")
    run = tune({"final": {"arch": "resnet50"}})["run"]
    tables = world.s3.json("artifacts", f"runs/{run}/run.json")["recipe"]["tables"]
    assert tables["final"]["weights"] == "imagenet"


@pytest.mark.parametrize(
    "payload",
    [
        {"model": {"weights": MINE, "arch": "resnet50"}},
        {"model": {"weights": MINE}, "final": {"arch": "resnet50"}},
        {
            "model": {"weights": MINE},
            "tuning": {"ranges": {"arch": {"type": "categorical", "values": ["resnet50"]}}},
        },
        {"model": {"weights": "none"}, "final": {"arch": "resnet50", "weights": MINE}},
    ],
)
def test_weights_of_another_network_are_refused(world: World, payload: dict[str, Any]) -> None:
    world.s3.put("artifacts", "weights/mine.safetensors", weights_of("resnet18", "module."))
    message = refused(world, payload)
    assert f"weights = {MINE}: these are the weights of a resnet18, and a job trains a resnet50" in message
    assert "set arch = resnet18" in message


@pytest.mark.parametrize("zipped", [True, False])
def test_of_torchs_own_files_the_names_tell_the_network(world: World, zipped: bool) -> None:
    world.s3.put("artifacts", "weights/mine.pth", torch_file("resnet50", zipped=zipped))
    uri = "s3://artifacts/weights/mine.pth"
    assert "the weights of a resnet50, and a job trains a resnet18" in refused(
        world, {"model": {"weights": uri}}
    )
    assert tune({"model": {"weights": uri, "arch": "resnet50"}}, "request-3")["statusCode"] == 202


def test_networks_of_timms_are_told_too(world: World) -> None:
    world.s3.put("artifacts", "weights/mine.safetensors", weights_of("resnet101"))
    assert "the weights of a resnet101, and a job trains a resnet18; set arch = resnet101, or use" in (
        refused(world, {"model": {"weights": MINE}})
    )
    assert "the weights of a resnet101, and a job trains a convnext_nano" in (
        refused(world, {"model": {"weights": MINE, "arch": "convnext_nano", "trainable_from": "head"}})
    )
    assert (
        tune({"model": {"weights": MINE, "arch": "resnet101", "trainable_from": "head"}}, "request-3")[
            "statusCode"
        ]
        == 202
    )


def test_what_a_staged_file_says_of_itself_is_believed(world: World) -> None:
    said = {"arch": "convnext_nano", "licence": "cc-by-nc-4.0"}
    world.s3.put("artifacts", "weights/mine.safetensors", weights_of("resnet18", said=said))
    assert "weights of a convnext_nano, and a job trains a resnet18" in (
        refused(world, {"model": {"weights": MINE}})
    )
    forbidden = f"the weights {MINE} are licensed as cc-by-nc-4.0, which forbids commercial use"
    payload = {"model": {"weights": MINE, "arch": "convnext_nano", "trainable_from": "head"}}
    assert tune({**payload, "dry_run": True})["notes"] == [forbidden]
    assert tune(payload, "request-3")["notes"] == [forbidden]
    payload["model"]["arch"] = "convnext_nano.d1h_in1k"
    assert tune({**payload, "dry_run": True})["notes"] == [forbidden]


def test_a_licence_is_said_before_anything_starts_and_when_asked_again(world: World) -> None:
    payload = {"model": {"arch": "vit_base_patch16_224.mae", "trainable_from": "head", "weights": "imagenet"}}
    says = "licensed as cc-by-nc-4.0, which forbids commercial use"
    assert says in tune({**payload, "dry_run": True}, "request-0")["notes"][0]
    first = tune(payload)
    assert says in first["notes"][0]
    assert tune(payload)["notes"] == first["notes"]


def test_of_weights_that_may_be_used_for_all_nothing_is_said(world: World) -> None:
    assert (
        tune(
            {
                "model": {"arch": "convnext_nano", "trainable_from": "head", "weights": "imagenet"},
                "dry_run": True,
            }
        )["notes"]
        == []
    )


@pytest.mark.parametrize("content", [b"x" * 200_000, weights_of("resnet18")[:500] + b" " * 200_000])
def test_a_damaged_file_is_refused(world: World, content: bytes) -> None:
    world.s3.put("artifacts", "weights/mine.safetensors", content)
    assert "the file is damaged" in refused(world, {"model": {"weights": MINE}})


def test_of_several_files_the_one_named_after_the_network_is_looked_at(world: World) -> None:
    for arch in ("resnet18", "resnet50"):
        world.s3.put("artifacts", f"weights/all/{arch}-1.safetensors", weights_of(arch))
    uri = "s3://artifacts/weights/all/"
    assert tune({"model": {"weights": uri, "arch": "resnet50"}})["statusCode"] == 202
    world.s3.put("artifacts", "weights/all/resnet50-1.safetensors", weights_of("resnet34"))
    assert tune({"model": {"weights": uri, "arch": "resnet50"}}, "request-2")["statusCode"] == 400


def test_no_more_than_a_files_beginning_is_read(world: World) -> None:
    stage(world, "resnet18")
    tune({})
    reads = [params for params in world.s3.called("GetObject") if params["Key"].startswith("weights/")]
    assert {params["Range"] for params in reads} == {"bytes=0-1048575"}


def test_by_hand_the_network_of_the_training_counts(world: World) -> None:
    stage(world, "resnet18", "resnet50")
    launch_training({**PAYLOAD, "hyperparameters": {"arch": "resnet50"}}, Context())
    (job,) = world.sagemaker.called("CreateTrainingJob")
    uris = [each["DataSource"]["S3DataSource"]["S3Uri"] for each in job["InputDataConfig"]]
    assert STAGED.format("resnet50") in uris
    answer = launch_training(
        {**PAYLOAD, "model": {"weights": STAGED.format("resnet18")}, "hyperparameters": {"arch": "resnet50"}},
        Context("request-2"),
    )
    assert answer["error"]["code"] == "InvalidRecipe"
