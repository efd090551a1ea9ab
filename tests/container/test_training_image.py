"""The training image's cpu target: its size, whole jobs in it as SageMaker runs them, and its model in the
serving image.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container import images, job
from tests.container.conftest import check_confinement
from tests.container.container import RUNTIME, Container
from tests.container.job import Job
from tests.unit.training_code.samples import TINY

# What the image may add to its base.
MOST_MEGABYTES = 1200
HOSTS = ("algo-1", "algo-2")
ASKED = TINY | {"epochs": "8", "augment": "none", "dataset": "shades", "run": "demo-run"}


@pytest.fixture(scope="module", params=["resnet18", "mobilenetv4_conv_small"])
def trained(
    request: pytest.FixtureRequest, training_image: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Job, str]:
    """A job that ran through without a network, and its log: of a network of ours, and of one of timm's."""
    base = job.lay_out(tmp_path_factory.mktemp("trained") / "ml", ASKED | {"arch": request.param})
    done, code, log = job.run(training_image, base)
    assert code == 0, log
    return done, log


def test_both_images_have_the_size_that_is_said(training_image: str, image: str, base_image: str) -> None:
    base = images.megabytes(base_image)
    training, serving = (images.megabytes(each) - base for each in (training_image, image))
    print(f"to a base of {base:.0f} MB training adds {training:.0f} MB, serving {serving:.0f} MB")
    assert training < MOST_MEGABYTES


def test_no_cuda_and_no_triton_is_in_it(training_image: str) -> None:
    ask = [
        *RUNTIME,
        "run",
        "--rm",
        "--network",
        "none",
        *job.LIMITS,
        "--entrypoint",
        "python",
        training_image,
    ]
    found = subprocess.run(
        [*ask, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    ).stdout.lower()
    assert "torch==" in found
    assert not [line for line in found.splitlines() if line.startswith(("nvidia", "triton", "cuda"))]


def test_a_whole_job_leaves_its_model_and_says_how_good_it_is(trained: tuple[Job, str]) -> None:
    done, log = trained
    assert done.failure == ""
    for name in ("model.safetensors", "model.xml", "model.bin", "classes.json", "model.json", "report.html"):
        assert (done.base / "model" / name).stat().st_size > 0, name
        assert (done.base / "model" / name).stat().st_uid == 0, "the image's user, whose /opt/ml is"
    told = json.loads((done.base / "output" / "data" / "evaluation.json").read_text())
    assert f"test_accuracy={told['test']['accuracy']:.6f}" in log
    assert "epoch=8" in log


def test_the_serving_image_serves_what_the_training_image_trained(
    trained: tuple[Job, str], container: Container
) -> None:
    done, _ = trained
    for folder in (done.base, *done.base.parents[:2], done.base / "model"):
        folder.chmod(folder.stat().st_mode | 0o055)
    container.start(done.base / "model")
    container.wait("ready")
    pictures = sorted((done.base / "input" / "data" / "test").glob("*/*.png"))
    answers = [
        container.ask("POST", "/invocations", path.read_bytes(), Content_Type="image/png")
        for path in pictures
    ]
    assert {status for status, _ in answers} == {200}
    right = [
        answer["predicted_class"] == path.parent.name
        for path, (_, answer) in zip(pictures, answers, strict=True)
    ]
    told = json.loads((done.base / "output" / "data" / "evaluation.json").read_text())["test"]
    assert sum(right) == round(told["accuracy"] * len(pictures))
    check_confinement(container)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"epochs": "many"}, "InvalidHyperparameter: epochs=many"),
        (
            {"weights": "imagenet"},
            "UnusableWeights: the published weights of resnet18 could not be downloaded",
        ),
    ],
    ids=["a mistake", "no network"],
)
def test_a_job_that_cannot_be_done_leaves_its_reason_and_an_exit_code(
    training_image: str, tmp_path: Path, changed: dict[str, str], reason: str
) -> None:
    done, code, log = job.run(training_image, job.lay_out(tmp_path / "ml", TINY | changed))
    assert code == 1
    assert done.failure.startswith(reason)
    assert "Traceback" not in log


def test_a_job_without_its_code_leaves_its_reason_too(training_image: str, tmp_path: Path) -> None:
    done, code, _ = job.run(training_image, tmp_path)
    assert code == 1
    assert "the channel 'code' holds no training_code" in done.failure


def test_the_image_only_trains(training_image: str, tmp_path: Path) -> None:
    _, code, log = job.run(training_image, tmp_path, "serve")
    assert code == 1
    assert "start it with the argument 'train'" in log


def test_a_gpu_instance_is_no_place_for_the_cpu_image(training_image: str, tmp_path: Path) -> None:
    base = job.lay_out(tmp_path / "ml", TINY, instance_type="ml.g5.xlarge")
    done, code, log = job.run(training_image, base)
    assert code == 1
    assert done.failure.startswith("NoGpu: ml.g5.xlarge has a GPU, and this job cannot use it")
    for named in ("built without CUDA", "target gpu", "driver none", "PyTorch 2.", "+cpu"):
        assert named in done.failure
    assert "epoch=" not in log


@pytest.fixture
def endless(training_image: str, tmp_path: Path) -> Iterator[Job]:
    """A job that ends only when it is told to."""
    base = job.lay_out(tmp_path / "ml", ASKED | {"epochs": "10000"})
    (base / "checkpoints").mkdir()
    made = Job(training_image, base)
    yield made
    made.remove()


def test_sigterm_keeps_the_best_model_and_a_checkpoint_and_is_no_failure(endless: Job) -> None:
    endless.start()
    endless.wait_for("epoch=2 ")
    endless.signal("TERM")
    code, log = endless.end()
    assert code == 0, log
    assert "stopped at epoch" in log
    assert (endless.base / "model" / "model.safetensors").exists()
    assert list((endless.base / "checkpoints" / "demo-digits-1").iterdir())
    assert endless.failure == ""


def test_two_containers_train_as_two_instances_of_one_job(training_image: str, tmp_path: Path) -> None:
    bases = [job.lay_out(tmp_path / host, ASKED | {"epochs": "2"}, hosts=HOSTS, host=host) for host in HOSTS]
    with job.wire(HOSTS) as networks:
        both = [
            Job(training_image, base, network, options)
            for base, (network, options) in zip(bases, networks, strict=True)
        ]
        try:
            for each in both:
                each.start()
            ends = [each.end() for each in both]
        finally:
            for each in both:
                each.remove()
    assert [code for code, _ in ends] == [0, 0], ends
    first, second = (log for _, log in ends)
    assert "epoch=2 " in first
    assert "epoch=" not in second, "one of them speaks for both"
    assert (bases[0] / "model" / "model.safetensors").exists()
    assert not list((bases[1] / "model").iterdir())
