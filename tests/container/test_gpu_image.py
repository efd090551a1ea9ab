"""The gpu image as far as a machine without a GPU can tell: it is whole, starts, says what it lacks, answers.

Building it downloads 3 GB and takes 20 GB of disk for a while, so it is built only where GPU_IMAGE is set.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.container import images
from tests.container.conftest import check_answers, check_confinement
from tests.container.container import Container

pytestmark = [
    pytest.mark.skipif(
        "GPU_IMAGE" not in os.environ, reason="GPU_IMAGE=1 builds the gpu image (20 GB of disk)"
    ),
    pytest.mark.timeout(3600),
]
# What it adds to its base: 5.0 GB, of which CUDA's libraries are 2.8, PyTorch 1.2 and Triton 0.7.
MOST_MEGABYTES = 5500
# Of all that PyTorch's libraries want, the driver alone is not theirs to bring: NVIDIA's runtime mounts it.
DRIVER = {"libcuda.so.1", "libnvidia-ml.so.1"}
UNRESOLVED = """
for library in "$(python -c 'import torch; print(torch.__path__[0])')"/lib/*.so*; do ldd "$library"; done
"""


@pytest.fixture(scope="module")
def image(base_image: str) -> str:
    """The gpu target of inference_code/Dockerfile."""
    return images.built("gpu", base_image)


def test_without_a_gpu_it_does_not_start_and_says_why(container: Container, model: Path) -> None:
    container.start(model)
    container.wait("failed")
    _, state = container.ping()
    assert state["error"]["code"] == "NoGpu"
    for named in ("driver none", "PyTorch ", "CUDA "):
        assert named in state["error"]["message"]


def test_where_it_may_it_answers_on_the_cpu_and_says_so(container: Container, model: Path) -> None:
    container.environment["NVIDIA_VISIBLE_DEVICES"] = "void"
    began = container.start(model)
    container.wait("ready")
    print(f"ready {time.monotonic() - began:.2f} s after podman was asked to start it")
    check_answers(container, model, tolerance=1e-5)
    assert container.classify(b"no picture")[0] == 400
    check_confinement(container)
    log = [json.loads(line) for line in container.log().splitlines()]
    assert [line["form"] for line in log if line["event"] == "form"] == ["pytorch"]
    told = [line for line in log if line["event"].startswith("no GPU")]
    assert [line["level"] for line in told] == ["WARNING"]
    assert "driver" in told[0]["reason"]


def test_all_that_pytorch_wants_of_cuda_is_in_it(container: Container, model: Path, image: str) -> None:
    container.environment["NVIDIA_VISIBLE_DEVICES"] = "void"
    container.start(model)
    container.wait("ready")
    assert "No broken requirements" in container.inside("python", "-m", "pip", "check")
    linked = container.inside("sh", "-c", UNRESOLVED)
    assert "libcudart" in linked
    assert {line.split()[0] for line in linked.splitlines() if "not found" in line} <= DRIVER
    # Without these NVIDIA's runtime would give it no GPU at all.
    environment = json.loads(images.told(image, "{{json .Config.Env}}"))
    assert {"NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"} <= set(environment)


def test_no_more_is_in_it_than_was_known(image: str, base_image: str) -> None:
    added = images.megabytes(image) - images.megabytes(base_image)
    print(f"the gpu image adds {added:.0f} MB to its base")
    assert added < MOST_MEGABYTES
