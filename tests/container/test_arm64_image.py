"""The cpu image for arm64 (Graviton), built and run by emulation, which takes many minutes.

So it is built only where ARM64_IMAGE is set. It answers as on an arm64 machine, but not as quickly.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.container import emulation, images
from tests.container.conftest import check_answers, check_confinement
from tests.container.container import Container
from tests.unit.inference_code.artifacts import TOLERANCE

ARM64 = "arm64"
LACKING = emulation.missing() if "ARM64_IMAGE" in os.environ else "ARM64_IMAGE=1 builds the image for arm64"
pytestmark = [pytest.mark.skipif(bool(LACKING), reason=LACKING), pytest.mark.timeout(7200)]
PATIENCE_SECONDS = 1200
# Each has kernels of its own: for vectors of 128 bits, SVE of 256 and SVE of 128. QEMU's own choice has SME
# as well, which none of them has; with it the answers are wrong (QEMU 7.2).
PROCESSORS = {
    "graviton2": "neoverse-n1",
    "graviton3": "max,sme=off,sve-default-vector-length=32",
    "graviton4": "max,sme=off,sve-default-vector-length=16",
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The cpu target of inference_code/Dockerfile for arm64."""
    with emulation.of_arm64():
        yield images.built("cpu", images.base(tmp_path_factory.mktemp("base"), ARM64), ARM64)


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("precision", TOLERANCE)
def test_it_classifies_as_pytorch_does(
    container: Container, model_in: Callable[[str], Path], processor: str, precision: str
) -> None:
    model = model_in(precision)
    container.patience, container.environment = PATIENCE_SECONDS, {"QEMU_CPU": PROCESSORS[processor]}
    began = container.start(model)
    container.wait("ready")
    ready = time.monotonic()
    check_answers(container, model, TOLERANCE[precision])
    answered = time.monotonic()
    print(f"{processor}, {precision}: ready in {ready - began:.1f} s, answered in {answered - ready:.1f} s")
    assert container.inside("uname", "-m").strip() == "aarch64"
    check_confinement(container)
