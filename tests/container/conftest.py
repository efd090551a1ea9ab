"""Both images, built from their Dockerfiles and run as real containers, without a Docker engine.

Needs root, podman, runc and buildah (`apt-get install podman runc buildah debootstrap`), and either a base
image named by CONTAINER_BASE_IMAGE or debootstrap to make one. Where something is missing the tests are
skipped and say what. Wheels come from the index that pip on this machine is set to; PyTorch without CUDA from
its own, or from where torch_wheel.py says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inference_code import inference
from tests.container import images, torch_wheel
from tests.container.container import Container
from tests.ports import free_port
from tests.unit.inference_code.artifacts import add_graph, write_artifact
from tests.unit.inference_code.pictures import encoded, scene


def _missing() -> str:
    """Why no container can be built and run here; empty if it can."""
    if os.geteuid() != 0:
        return "runs as root only: buildah and podman are used without user namespaces"
    needed = ["podman", "runc", "buildah", *([] if "CONTAINER_BASE_IMAGE" in os.environ else ["debootstrap"])]
    missing = [name for name in needed if shutil.which(name) is None]
    return f"{', '.join(missing)} missing: apt-get install {' '.join(missing)}" if missing else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(item.path).parent == Path(__file__).parent]
    reason = _missing() if here else ""
    for item in here:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(1200))
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def base_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return images.base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def image(base_image: str) -> str:
    """The cpu target of inference_code/Dockerfile."""
    return images.built("cpu", base_image)


@pytest.fixture(scope="session")
def training_image(base_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The cpu target of training_code/Dockerfile."""
    if torch_wheel.pinned_can_be_had(base_image):
        return images.built_for_training("cpu", base_image)
    wheel = torch_wheel.lying_here(base_image)
    if wheel is None:
        pytest.skip(
            "PyTorch's index of CPU wheels has none here for the base's Python, nor has PIP_FIND_LINKS"
        )
    print(f"built with {wheel.name} in place of the pinned PyTorch")
    source, options = torch_wheel.context_with(wheel, tmp_path_factory.mktemp("context"))
    return images.built_for_training("cpu", base_image, source, options)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def container(image: str, port: int) -> Iterator[Container]:
    """A container of the image that is not started yet, and is gone after the test."""
    made = Container(image, port)
    yield made
    made.remove()


def readable(folder: Path) -> Path:
    """Let everybody read it: the container runs as nobody in particular, and pytest's folders are private."""
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


@pytest.fixture(scope="session")
def model_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes the folder of a model whose serving form has a precision."""
    return lambda precision: readable(
        add_graph(write_artifact(tmp_path_factory.mktemp("ml") / "model"), precision)
    )


@pytest.fixture(scope="session")
def model(model_in: Callable[[str], Path]) -> Path:
    return model_in("f32")


def check_answers(container: Container, model: Path, tolerance: float) -> None:
    """A running container finds the classes that PyTorch finds on this machine, with its probabilities."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "FORM", "pytorch")
        reference = inference.model_fn(str(model))
    for rotation in range(0, 360, 60):
        jpeg = encoded(scene((500, 375)).rotate(rotation), "JPEG")
        expected = inference.predict_fn(inference.input_fn(jpeg, "image/jpeg"), reference)
        status, answer = container.classify(jpeg)
        assert status == 200
        assert answer["predicted_class"] == expected["predicted_class"]
        assert answer["confidence"] == pytest.approx(expected["confidence"], abs=tolerance)


def check_confinement(container: Container) -> None:
    """A running container is nobody, finds all it runs compiled, and can write nowhere."""
    assert container.inside("id", "-u").strip() == "10001"
    for folder in ("/tmp", "/opt/program", "/var/tmp", "/home"):
        written = ["sh", "-c", f"touch {folder}/x 2>/dev/null && echo written || echo refused"]
        assert container.inside(*written).strip() == "refused", folder
    # Everything is compiled: an image that cannot write would compile it again at each start.
    assert "__main__.cpython" in container.inside("ls", "/opt/program/inference_code/__pycache__")
