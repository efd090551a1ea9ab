"""Renews all that is pinned: `make lock`; with UPGRADE=all, or the names of packages, to newer versions.

1. requirements.txt from pyproject.toml. The versions and hashes in it stay as far as pyproject.toml allows;
   only what is to be upgraded is chosen anew.
2. The requirements files of the images and of the installer, at requirements.txt's versions and hashes.
3. The CDK CLI's package-lock.json.
4. PyTorch without CUDA, by the hashes of PyTorch's own index.
5. The digest of the images' base.

The files of 1 to 3 are written when all of them are made, or none is. 4 and 5 ask servers of their own: where
one does not answer, its pin stays and that is said.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from cli import node
from tools import pins, registry
from tools.pins import ROOT, SERVING, TRAINING, Pin

CDK: Final = ROOT / "tools" / "cdk"
DOCKERFILES: Final = (SERVING / "Dockerfile", TRAINING / "Dockerfile")
_UV: Final = (sys.executable, "-m", "uv", "pip", "compile")
_FIXED: Final = ("--quiet", "--universal", "--generate-hashes", "--no-emit-index-url")
_BASE = re.compile(r"^ARG BASE_IMAGE=(\S+)$", re.MULTILINE)
_TORCH_INDEX = re.compile(r"^ARG TORCH_INDEX_URL=(\S+)$", re.MULTILINE)


class LockError(Exception):
    """A step that could not be taken, and wrote nothing; the message says what to do."""


@dataclass(frozen=True)
class Derived:
    """A requirements file whose versions are those of requirements.txt."""

    path: Path
    group: str
    """Of pyproject.toml's dependency groups; the file has all that the group needs."""
    says: str
    keep: Callable[[Pin], bool] = lambda pin: True
    besides: tuple[Path, ...] = ()
    """Files that are installed beside this one and have their part of the group already."""


def _is_cuda(pin: Pin) -> bool:
    """PyTorch itself, and what its wheel on PyPI needs on Linux only: the CUDA libraries and Triton."""
    return pin.name == "torch" or pin.marker == "sys_platform == 'linux'"


SERVED: Final = SERVING / "requirements.txt"
DERIVED: Final = (
    Derived(SERVED, "serving", "What every serving image installs."),
    Derived(
        SERVING / "requirements-cpu.txt",
        "serving-form",
        "What answers on a processor: the serving form of the model.",
        besides=(SERVED,),
    ),
    Derived(
        SERVING / "requirements-torch.txt",
        "weights",
        "What PyTorch needs beside itself, and what reads a model without a serving form.",
        keep=lambda pin: not _is_cuda(pin),
        besides=(SERVED,),
    ),
    *(
        Derived(
            folder / "requirements-gpu.txt",
            group,
            "PyTorch for the gpu image, with the CUDA libraries it was built for.",
            keep=_is_cuda,
        )
        for folder, group in ((SERVING, "weights"), (TRAINING, "training"))
    ),
    Derived(
        TRAINING / "requirements.txt",
        "training",
        "What every training image installs: all but PyTorch.",
        keep=lambda pin: not _is_cuda(pin),
    ),
    Derived(pins.UV, "installer", "What tools/install.sh begins with: it installs all else."),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make lock", description="renew all that is pinned")
    parser.add_argument(
        "--upgrade", nargs="*", default=[], metavar="PACKAGE", help="to their newest; or `all`"
    )
    steps: list[Callable[[], list[Path]]] = [_torch_cpu, _base_image]
    try:
        changed = _packages(parser.parse_args(arguments).upgrade)
    except LockError as error:
        print(f"lock: {error}\nNothing was changed.", file=sys.stderr)
        return 1
    failed = False
    for step in steps:
        try:
            changed += step()
        except LockError as error:
            failed = True
            print(f"lock: {error}", file=sys.stderr)
    print("\n".join(f"changed: {path.relative_to(ROOT)}" for path in changed) or "Nothing changed.")
    return int(failed)


def _packages(upgraded: Sequence[str]) -> list[Path]:
    """Steps 1 to 3; the files that changed."""
    upgrades = [part for name in upgraded for part in ("--upgrade-package", name)]
    if "all" in upgraded:
        upgrades = ["--upgrade"]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        files = [
            _compiled(
                folder,
                pins.LAPTOP,
                ("container", "local", "dev"),
                "pyproject.toml",
                "--no-emit-package",
                "local-aws",  # it is here; what it needs is locked
                *upgrades,
            ),
            *(_derived(folder, each) for each in DERIVED),
            _compiled(folder, pins.AUDIT, ("audit",), *upgrades),
            _compiled(folder, pins.CHECKOV, ("templates",), *upgrades),
            _compiled(folder, pins.DOCS, ("docs",), *upgrades),
            _package_lock(folder),
        ]
        return [path for path in files if _write(path, _made(folder, path).read_text())]


def _made(folder: Path, path: Path) -> Path:
    """Where a file of this repository is made before it is put into its place."""
    place = folder / path.relative_to(ROOT)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _compiled(folder: Path, path: Path, groups: Iterable[str], *options: str) -> Path:
    """Resolve groups of pyproject.toml, keeping the versions and hashes that the file has."""
    if path.exists():
        shutil.copy(path, _made(folder, path))
    _compile(groups, _made(folder, path), *options)
    return path


def _compile(groups: Iterable[str], to: Path, *options: str) -> None:
    """Write `to`; what stands in it already is kept where the groups allow."""
    named = [part for group in groups for part in ("--group", group)]
    fixed = (*_FIXED, "--python-version", _oldest_python(), "--custom-compile-command", "make lock")
    command = [*_UV, *fixed, *named, *options, "--output-file", str(to)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise LockError(f"`uv pip compile` failed for {to.name}:\n{done.stderr.strip()}")


def _oldest_python() -> str:
    """The first that is installed for: what newer ones need else stands behind a marker."""
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    return _only(re.compile(r">=\s*([\d.]+)"), supported)


def _derived(folder: Path, each: Derived) -> Path:
    laptop, compiled = _made(folder, pins.LAPTOP), folder / f"{each.group}.txt"
    shutil.copy(laptop, compiled)
    # Its marker fits no machine: pyproject.toml leaves it out.
    options = ("--constraint", str(laptop), "--no-annotate", "--no-emit-package", "openvino-telemetry")
    _compile((each.group,), compiled, *options)
    elsewhere = {pin.name for path in each.besides for pin in pins.read(_made(folder, path))}
    kept = [pin for pin in pins.read(compiled) if each.keep(pin) and pin.name not in elsewhere]
    source = f"pyproject.toml's group {each.group}, at the versions of the laptop's lock file"
    _made(folder, each.path).write_text(_text(f"{each.says} `make lock` made this of {source}.", kept))
    return each.path


def _package_lock(folder: Path) -> Path:
    for name in ("package.json", "package-lock.json"):
        if (CDK / name).exists():
            shutil.copy(CDK / name, _made(folder, CDK / name))
    # The hash of each package, and no address: npm takes it from the registry it is set to.
    options = ("--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved", "--no-audit")
    done = node.npm(_made(folder, CDK), "install", *options, "--no-fund", "--loglevel", "error")
    if done.returncode:
        raise LockError(f"`npm install --package-lock-only` failed:\n{done.stderr.strip()}")
    return CDK / "package-lock.json"


def _torch_cpu() -> list[Path]:
    """Step 4: the wheels for the image's Python, on both of its architectures."""
    version = next(pin.version for pin in pins.read(pins.LAPTOP) if pin.name == "torch")
    page_url = f"{torch_index()}/torch/"
    tag = "cp" + "".join(base_image().tag.split("-")[0].split(".")[:2])
    try:
        with urlopen(page_url, timeout=20) as answer:  # noqa: S310 - the Dockerfile's address
            page = answer.read().decode()
        pin = _wheels(page, version, tag)
    except (OSError, ValueError) as error:
        if any([pin.version for pin in pins.read(path)] != [version] for path in pins.TORCH_CPU):
            raise LockError(
                f"torch is {version} now, and {page_url} does not say the hashes of its wheels without CUDA "
                f"({error}). All else is locked; run `make lock` again where that index can be reached."
            ) from error
        print(f"lock: {page_url} did not answer ({error}): {pins.TORCH_CPU[0].name} stays.", file=sys.stderr)
        return []
    says = "PyTorch without CUDA, for the cpu images: wheels of PyTorch's own index."
    text = _text(f"{says} `make lock` read their hashes there.", [pin])
    return [path for path in pins.TORCH_CPU if _write(path, text)]


def _wheels(page: str, version: str, tag: str) -> Pin:
    name = rf"torch-{re.escape(version)}(?:\+|%2B)cpu-{tag}-{tag}-manylinux\w*_(x86_64|aarch64)\.whl"
    found = dict(re.findall(rf"{name}#(?:sha256=)([0-9a-f]{{64}})", page))
    if set(found) != {"x86_64", "aarch64"}:
        raise ValueError(f"it has torch {version} for {tag} on {', '.join(found) or 'no architecture'}")
    return Pin("torch", version, "", tuple(sorted(f"sha256:{each}" for each in found.values())))


def torch_index() -> str:
    """PyTorch's own index of wheels without CUDA, as the Dockerfiles name it."""
    return _only(_TORCH_INDEX, DOCKERFILES[0].read_text())


def base_image() -> registry.Reference:
    """What the images are built on."""
    return registry.Reference.parse(_only(_BASE, DOCKERFILES[0].read_text()))


def _base_image() -> list[Path]:
    """Step 5."""
    texts = {path: path.read_text() for path in DOCKERFILES}
    renewed: dict[str, str] = {}
    for name in {_only(_BASE, text) for text in texts.values()}:
        image = registry.Reference.parse(name)
        try:
            renewed[name] = str(replace(image, digest=registry.digest(image)))
        except registry.NoDigest as error:
            renewed[name] = name
            print(f"lock: {error}. The images' base stays at {name}", file=sys.stderr)
    put_in = {
        path: _BASE.sub(lambda found: f"ARG BASE_IMAGE={renewed[found[1]]}", text)
        for path, text in texts.items()
    }
    return [path for path, text in put_in.items() if _write(path, text)]


def _only(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    if found is None:
        raise LockError(f"nothing fits {pattern.pattern} in {text!r}")
    return found[1]


def _text(says: str, of: Iterable[Pin]) -> str:
    """A requirements file: its head in lines of a comment's width, and its pins."""
    return "".join([*(f"# {line}\n" for line in textwrap.wrap(says, 108)), *(f"{pin}\n" for pin in of)])


def _write(path: Path, text: str) -> bool:
    """Whether that changed the file."""
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    return True


if __name__ == "__main__":
    sys.exit(main())
