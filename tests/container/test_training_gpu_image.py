"""The training image's gpu target as far as a machine without a GPU can tell.

Like the serving image's it takes 20 GB of disk for a while, so it is built only where GPU_IMAGE is set.
NVIDIA's libraries for older drivers are in it where the build could reach NVIDIA.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from tests.container import images, job
from tests.unit.training_code.samples import TINY

pytestmark = [
    pytest.mark.skipif(
        "GPU_IMAGE" not in os.environ, reason="GPU_IMAGE=1 builds the gpu image (20 GB of disk)"
    ),
    pytest.mark.timeout(3600),
]
# What it adds to its base: CUDA's libraries are 2.8 GB, PyTorch 1.2, Triton 0.7, all else 0.6.
MOST_MEGABYTES = 6000


@pytest.fixture(scope="module")
def image(base_image: str) -> str:
    """The gpu target of training_code/Dockerfile."""
    return images.built_for_training("gpu", base_image)


def test_no_more_is_in_it_than_was_known(image: str, base_image: str) -> None:
    added = images.megabytes(image) - images.megabytes(base_image)
    print(f"the training image with CUDA adds {added:.0f} MB to its base")
    assert added < MOST_MEGABYTES


def test_nvidias_runtime_gives_it_devices_and_driver(image: str) -> None:
    environment = json.loads(images.told(image, "{{json .Config.Env}}"))
    assert {"NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"} <= set(environment)


def test_without_a_driver_a_job_on_a_gpu_instance_fails_and_names_what_is_there(
    image: str, tmp_path: Path
) -> None:
    done, code, log = job.run(image, job.lay_out(tmp_path / "ml", TINY, instance_type="ml.g5.xlarge"))
    assert code == 1
    for named in (
        "NoGpu: ml.g5.xlarge",
        "driver none",
        f"CUDA {torch.version.cuda}",
        "NVIDIA_VISIBLE_DEVICES=all",
    ):
        assert named in done.failure, done.failure
    assert "epoch=" not in log


def test_with_allow_cpu_it_trains_all_the_same(image: str, tmp_path: Path) -> None:
    asked = TINY | {"epochs": "1", "allow_cpu": "yes"}
    done, code, log = job.run(image, job.lay_out(tmp_path / "ml", asked, instance_type="ml.g5.xlarge"))
    assert code == 0, log
    assert (done.base / "model" / "model.safetensors").exists()
