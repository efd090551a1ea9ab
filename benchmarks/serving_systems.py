"""The systems the serving benchmark compares: how each is installed, started and asked.

Every peer gets a virtual environment of its own below .local/peers, with our versions of PyTorch and
torchvision and its newest release, and runs with its own defaults (workers, threads, queue).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.harness import ROOT
from benchmarks.serving_load import Target

PEERS: Final = ROOT / ".local" / "peers"
SOURCES: Final = ROOT / "benchmarks" / "peers"
TORCH: Final = ("torch==2.12.1", "torchvision==0.27.1", "setuptools<81")


class CannotRun(Exception):
    """A system cannot run on this machine; the message says why."""


@dataclass(frozen=True)
class Launch:
    """A command line, its environment, and where the server then answers."""

    command: list[str]
    target: Target
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class System:
    """One system: `launch` makes ready what it needs in a scratch folder and says how to start it.

    Its arguments are the model folder, the scratch folder and a first free port.
    """

    name: str
    note: str
    launch: Callable[[Path, Path, int], Launch]
    packages: tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return PEERS / self.name / "bin" / "python" if self.packages else Path(sys.executable)

    def install(self) -> None:
        """Make its virtual environment, once.

        Raises:
            CannotRun: the installation failed.
        """
        folder = PEERS / self.name
        done = folder / "installed"
        wanted = " ".join(self.packages)
        if not self.packages or (done.exists() and done.read_text() == wanted):
            return
        uv = str(Path(sys.executable).with_name("uv"))
        try:
            for arguments in (
                ["venv", "--clear", "--python", sys.executable, str(folder)],
                [
                    "pip",
                    "install",
                    "--compile-bytecode",
                    "--python",
                    str(self.python),
                    *TORCH,
                    *self.packages,
                ],
            ):
                subprocess.run([uv, *arguments], check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise CannotRun(f"not installed: {error.stderr.strip().splitlines()[-1]}") from error
        done.write_text(wanted)


def _ours(model: Path, scratch: Path, port: int) -> Launch:
    return _ours_with({})(model, scratch, port)


def _ours_with(environment: Mapping[str, str]) -> Callable[[Path, Path, int], Launch]:
    def launch(model: Path, scratch: Path, port: int) -> Launch:
        (scratch / "model").symlink_to(model)
        return Launch(
            [sys.executable, "-m", "inference_code", "serve"],
            Target(port, "/invocations"),
            {
                "SAGEMAKER_BASE_DIR": str(scratch),
                "SAGEMAKER_BIND_TO_PORT": str(port),
                "PYTHONPATH": str(ROOT),
                "SERVE_HOST": "127.0.0.1",
                **environment,
            },
        )

    return launch


def _toolkit(model: Path, scratch: Path, port: int) -> Launch:
    _java()
    # The layout that the toolkit's start_model_server makes below /.sagemaker and /etc.
    served = scratch / "models" / "model"
    shutil.copytree(model, served)
    for name in ("plain.py", "toolkit_handler.py"):
        shutil.copy(SOURCES / name, served)
    manifest = '{"specificationVersion": "1.0", "implementationVersion": "1.0", "modelServerVersion": "1.0", '
    (served / "MAR-INF").mkdir()
    (served / "MAR-INF" / "MANIFEST.json").write_text(
        manifest
        + '"runtime": "python", "model": {"modelName": "model", "handler": "toolkit_handler.py:handle"}}'
    )
    (scratch / "config.properties").write_text(
        "decode_input_request=false\nload_models=ALL\n"
        f"inference_address=http://127.0.0.1:{port}\nmanagement_address=http://127.0.0.1:{port + 1}\n"
        f"model_store={scratch / 'models'}\n"
    )
    bin_folder = PEERS / "toolkit" / "bin"
    command = [str(bin_folder / "multi-model-server"), "--start", "--foreground"]
    command += ["--mms-config", str(scratch / "config.properties"), "--model-store", str(scratch / "models")]
    command += ["--models", "model=model"]
    return Launch(
        command,
        Target(port, "/invocations"),
        {"PATH": f"{bin_folder}:{os.environ['PATH']}", "LOG_LOCATION": str(scratch), "TEMP": str(scratch)},
    )


def _torchserve(model: Path, scratch: Path, port: int) -> Launch:
    _java()
    bin_folder = PEERS / "torchserve" / "bin"
    (scratch / "store").mkdir()
    extra = [*(str(path) for path in model.iterdir()), str(SOURCES / "plain.py")]
    command = [str(bin_folder / "torch-model-archiver"), "--model-name", "model", "--version", "1"]
    command += ["--handler", str(SOURCES / "torchserve_handler.py"), "--extra-files", ",".join(extra)]
    subprocess.run([*command, "--export-path", str(scratch / "store")], check=True, capture_output=True)
    ports = zip(("inference", "management", "metrics"), range(port, port + 3), strict=True)
    (scratch / "config.properties").write_text(
        "".join(f"{name}_address=http://127.0.0.1:{number}\n" for name, number in ports)
        + f"grpc_inference_port={port + 3}\ngrpc_management_port={port + 4}\n"
        + f"model_store={scratch / 'store'}\nload_models=model.mar\ndisable_token_authorization=true\n"
        + "enable_metrics_api=false\n"
    )
    command = [str(bin_folder / "torchserve"), "--start", "--foreground", "--ncs", "--disable-token-auth"]
    command += ["--ts-config", str(scratch / "config.properties")]
    return Launch(
        command,
        Target(port, "/predictions/model"),
        {"PATH": f"{bin_folder}:{os.environ['PATH']}", "LOG_LOCATION": str(scratch), "TEMP": str(scratch)},
    )


def _script(name: str, path: str, form: bool) -> Callable[[Path, Path, int], Launch]:
    def launch(model: Path, scratch: Path, port: int) -> Launch:
        python, source = str(PEERS / name / "bin" / "python"), str(SOURCES / f"{name}_app.py")
        return Launch([python, source, str(model), str(port)], Target(port, path, form))

    return launch


def _bentoml(model: Path, scratch: Path, port: int) -> Launch:
    for name in ("plain.py", "bentoml_app.py"):
        shutil.copy(SOURCES / name, scratch)
    program = str(PEERS / "bentoml" / "bin" / "bentoml")
    command = [program, "serve", "bentoml_app:Classifier", "--host", "127.0.0.1", "--port", str(port)]
    environment = {"MODEL_FOLDER": str(model), "BENTOML_HOME": str(scratch), "BENTOML_DO_NOT_TRACK": "True"}
    return Launch([*command, "--working-dir", str(scratch)], Target(port, "/classify", True), environment)


def _java() -> None:
    if shutil.which("java") is None:
        raise CannotRun("it is a Java server, and there is no java on this machine (version 17 will do)")


OURS: Final = System("ours", "inference_code, the serving form of the artifact", _ours)
REFERENCE: Final = System(
    "ours, PyTorch", "the same server with SERVE_FORM=pytorch", _ours_with({"SERVE_FORM": "pytorch"})
)
TOOLKIT: Final = System(
    "toolkit",
    "sagemaker-inference 1.10.1 handler, eager PyTorch, on its own server multi-model-server 1.1.11 (Java)",
    _toolkit,
    ("sagemaker-inference==1.10.1", "multi-model-server==1.1.11"),
)
SYSTEMS: Final = (
    OURS,
    TOOLKIT,
    System(
        "torchserve",
        "custom handler, eager PyTorch, Java 17",
        _torchserve,
        ("torchserve", "torch-model-archiver", "psutil", "packaging", "pynvml", "pyyaml"),
    ),
    System(
        "ray_serve", "one replica, eager PyTorch", _script("ray_serve", "/classify", False), ("ray[serve]",)
    ),
    System(
        "litserve",
        "one worker, eager PyTorch",
        _script("litserve", "/classify", True),
        ("litserve", "python-multipart"),
    ),
    System("bentoml", "one worker, eager PyTorch", _bentoml, ("bentoml",)),
    REFERENCE,
)
