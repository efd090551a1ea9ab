"""What a job would find out without decoding a picture is found before it is started."""

from __future__ import annotations

from typing import Any

import pytest

from contract import memory
from contract.datasets.manifest import Origin, Version
from functions.common.errors import InvalidDataset, InvalidRecipe
from functions.common.launching import fit
from functions.launch_tuning.handler import handler
from tests.unit.lambda_functions.fakes import Context, World


def version(classes: int = 2, each: int = 100_000, name: str = "{}") -> Version:
    counts = {"train": each, "valid": 10, "test": 10}
    return Version(
        dataset="pets",
        number=1,
        created="",
        origin=Origin.UPLOAD,
        root="datasets/pets/pictures/",
        classes={name.format(number): counts for number in range(classes)},
        bytes=1,
        shards=(),
        digest="",
    )


def values(**chosen: Any) -> tuple[fit.Values, ...]:
    usual = {"arch": "resnet18", "image_size": 224, "batch_size": 32, "trainable_from": "stem"}
    return (
        {key: value if isinstance(value, tuple) else (value,) for key, value in (usual | chosen).items()},
    )


@pytest.mark.parametrize(
    ("chosen", "types", "instances"),
    [
        ({"batch_size": 65_536}, ("ml.c7i.2xlarge",), 1),
        ({"batch_size": (8, 65_536)}, ("ml.g6.xlarge",), 1),
        ({"batch_size": 65_536, "image_size": (224, 512)}, ("ml.m5.large", "ml.c7i.2xlarge"), 1),
        ({"batch_size": 65_536, "image_size": 512, "arch": "other"}, ("ml.c7i.4xlarge",), 1),
        ({"batch_size": 65_536, "image_size": 512}, ("ml.c7i.4xlarge",), 4),
    ],
)
def test_a_step_that_no_memory_of_the_types_holds_is_refused(
    chosen: dict[str, Any], types: tuple[str, ...], instances: int
) -> None:
    with pytest.raises(
        InvalidRecipe, match=r"batch_size = 65536 with image_size = \d+ takes more than \d+ GiB"
    ):
        fit.check(values(**chosen), version(), instances, types)


@pytest.mark.parametrize(
    ("chosen", "types", "instances"),
    [
        ({"batch_size": 4096}, ("ml.c7i.2xlarge",), 1),
        ({"batch_size": 65_536, "image_size": 32}, ("ml.c7i.2xlarge",), 1),
        ({"batch_size": 65_536}, ("ml.c7i.2xlarge", "ml.r7i.48xlarge"), 1),
        ({"batch_size": 65_536, "trainable_from": "layer4"}, ("ml.c7i.2xlarge",), 1),
        ({"batch_size": 65_536}, ("ml.p5.48xlarge",), 1),
        ({"batch_size": 65_536}, ("ml.p6e-gb200.36xlarge",), 1),
        ({"batch_size": 65_536, "image_size": 512}, ("ml.c7i.4xlarge",), 32),
    ],
)
def test_what_could_fit_is_not_refused(
    chosen: dict[str, Any], types: tuple[str, ...], instances: int
) -> None:
    fit.check(values(**chosen), version(), instances, types)


def test_the_words_name_the_largest_batch_that_could_fit() -> None:
    with pytest.raises(InvalidRecipe, match="has 16 GiB at most; it has to be below ") as refused:
        fit.check(values(batch_size=65_536), version(), 1, ("ml.c7i.2xlarge",))
    most = int(str(refused.value).rpartition(" ")[2]) - 1
    assert most * 38 * 224**2 <= 16 * 2**30 < (most + 1) * 38 * 224**2
    fit.check(values(batch_size=most), version(), 1, ("ml.c7i.2xlarge",))


def test_more_classes_than_an_evaluation_can_name_are_refused() -> None:
    with pytest.raises(
        InvalidDataset, match=r"of 10000 classes with names of up to 2\d+ bytes.*shorter names"
    ):
        fit.check(values(), version(10_000, 10, "x" * 2000 + "{:05}"))
    fit.check(values(), version(10_000, 10, "é" * 125 + "{:05}"))


def test_a_launcher_asks_about_the_types_that_its_jobs_may_be_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAINING_INSTANCE_TYPE", "ml.c7i.large,ml.m5.large")
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(fit, "check", lambda jobs, version, count, types: asked.append(types))
    assert handler({"recipe": "digits", "dataset": "digits"}, Context())["statusCode"] == 202
    assert asked == [("ml.c7i.large", "ml.m5.large")]


@pytest.mark.parametrize(
    ("instance_type", "gib"),
    [
        ("ml.c7i.2xlarge", 16), ("ml.c7i-flex.xlarge", 8), ("ml.m5.large", 8), ("ml.r5.24xlarge", 768),
        ("ml.g6.xlarge", 24), ("ml.g4dn.12xlarge", 128), ("ml.p5.4xlarge", 640), ("ml.t3.medium", 8),
        ("ml.trn1.2xlarge", None), ("ml.p3.2xlarge", None),
    ],
)  # fmt: skip
def test_a_type_s_memory_is_at_most_what_its_name_tells(instance_type: str, gib: int | None) -> None:
    assert memory.most_gib(instance_type) == gib
