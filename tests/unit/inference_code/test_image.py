"""What the Dockerfile installs is what was tested here."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from stacks.folders import Folders
from tools import pins

FOLDER = pins.SERVING


def imports(path: Path) -> set[str]:
    """The packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def versions(path: Path) -> set[str]:
    return {f"{pin.name}=={pin.version}" for pin in pins.read(path)}


def test_the_images_install_the_versions_of_the_lock_file() -> None:
    for path in FOLDER.glob("requirements*.txt"):
        assert versions(path) - versions(pins.LAPTOP) == set(), path.name


def test_both_flavours_have_the_same_torch() -> None:
    assert versions(pins.TORCH_CPU[0]) <= versions(FOLDER / "requirements-gpu.txt")


def test_all_that_the_code_imports_is_installed() -> None:
    files = FOLDER.glob("requirements*.txt")
    installed = {pin.name for path in files for pin in pins.read(path)}
    distributions = {
        "PIL": "pillow",
        "sagemaker_inference": "",
    }  # AWS's toolkit is used where it is, never needed
    context = Path(Folders(pins.ROOT).image_context("inference_code"))
    imported = {name for path in context.rglob("*.py") for name in imports(path)}
    own = {"contract", "inference_code"}
    foreign = {distributions.get(name, name) for name in imported - own - sys.stdlib_module_names}
    assert foreign - {""} - installed == set()


def test_nothing_the_cpu_image_installs_brings_pytorch_or_cuda() -> None:
    names = ("requirements.txt", "requirements-cpu.txt")
    installed = {pin.name for name in names for pin in pins.read(FOLDER / name)}
    assert not {name for name in installed if name.startswith(("torch", "nvidia", "cuda", "triton"))}


def test_no_image_holds_smdebug_nor_the_old_protobuf_that_it_needs() -> None:
    for path in FOLDER.glob("requirements*.txt"):
        installed = {pin.name for pin in pins.read(path)}
        assert not installed & {"smdebug", "smdebug-rulesconfig", "protobuf"}, path.name
    assert not re.search(r"smdebug|protobuf", (FOLDER / "Dockerfile").read_text())


def test_the_images_do_not_run_as_root() -> None:
    _, gpu, cpu = (FOLDER / "Dockerfile").read_text().split("\nFROM ")[1:]
    assert all("\nUSER 10001:10001\n" in stage for stage in (gpu, cpu))


def _imported(path: Path) -> set[Path]:
    """The files of the contract that a file imports, and what those import."""
    found = set[Path]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("contract"):
            room = pins.ROOT.joinpath(*node.module.split("."))
            files = [room.with_suffix(".py"), *(room / f"{each.name}.py" for each in node.names)]
            packages = [
                folder / "__init__.py"
                for folder in (room, *room.parents)
                if pins.ROOT / "contract" in (folder, *folder.parents)
            ]
            found |= {file for file in (*files, *packages) if file.is_file()}
    return found.union(*(_imported(file) for file in found if file.name != "__init__.py"))


def test_the_images_hold_what_the_server_imports_of_the_contract_and_nothing_else() -> None:
    """So a new price or another bound builds no image."""
    patterns = re.findall(r"^!(contract\S+)", (FOLDER / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    held = {path for pattern in patterns for path in pins.ROOT.glob(pattern)}
    assert held == set[Path]().union(*(_imported(path) for path in FOLDER.rglob("*.py")))
