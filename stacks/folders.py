"""The folders of this repository which the stacks package: what goes into each asset, and what stays out.

The stacks know these folders, never what is in them. Each asset holds `contract` beside its own packages,
under the names they have here, so it is put together in a folder of its own. A missing folder is found here,
before CDK starts.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import FileSystem
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_deployment as deployment

# Leftovers of running the code here; they would change the asset's hash, and with it deploy for nothing.
_LEFTOVERS = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".DS_Store"
)
_WHOLE = ("training_code", "contract", "judging")
# Of the reports only what a job draws: another page's change must not be one of every job's code.
_JOB_CODE = (*_WHOLE, "reports/__init__.py", "reports/shared", "reports/training")
_DOCTOR_CODE = ("doctor", "contract", "judging", "reports/__init__.py", "reports/shared", "reports/doctor")
_BATCH_CODE = (
    *("batch", "contract", "inference_code"),
    *("reports/__init__.py", "reports/shared", "reports/batch"),
)
_FOLDERS = (*_WHOLE, "batch", "doctor", "lambda/functions", "inference_code", "reports", "recipes")


class MissingFolderError(Exception):
    """A folder that the stacks package is not there."""


@dataclass(frozen=True, slots=True)
class Folders:
    root: Path
    """The repository."""

    def check(self) -> None:
        """Raise MissingFolderError, naming the folder, unless all folders are there."""
        for name in _FOLDERS:
            if not (self.root / name).is_dir():
                raise MissingFolderError(
                    f"the folder {name}/ is missing in {self.root}; the stacks package it."
                    " Restore it with git."
                )

    def lambda_code(self) -> lambda_.AssetCode:
        """What all functions share: `functions` and `contract`."""
        return lambda_.Code.from_asset(str(_staged(self.root, ("lambda/./functions", "contract"))))

    def code_of_jobs(self) -> deployment.ISource:
        """What jobs find in their channel `code`, each kind of job's in a folder named by its hash."""
        stage = _temporary()
        for code in (self.job_code(), self.doctor_code(), self.batch_code()):
            shutil.copytree(code, stage / hash_of(code))
        return deployment.Source.asset(str(stage))

    def recipes(self) -> deployment.ISource:
        return deployment.Source.asset(str(_staged(self.root, ("recipes/./",))))

    def image_context(self, name: str) -> str:
        """A folder with what `docker build -f <name>/Dockerfile .` would be sent of the repository."""
        return str(_build_context(self.root, name))

    def job_code(self) -> Path:
        """A folder with what a job runs, and of the reports what its own page takes."""
        return _staged(self.root, _JOB_CODE)

    def doctor_code(self) -> Path:
        """A folder with what a job of the doctor runs."""
        return _staged(self.root, _DOCTOR_CODE)

    def batch_code(self) -> Path:
        """A folder with what a job runs that answers pictures in one go."""
        return _staged(self.root, _BATCH_CODE)


def hash_of(code: Path) -> str:
    """What a job's code is called in the artifacts bucket; changes with every byte of it."""
    return FileSystem.fingerprint(str(code))[:16]


@functools.cache
def _staged(root: Path, paths: tuple[str, ...]) -> Path:
    """A folder that holds each of `paths`, without what stands before `/./` (as rsync reads it)."""
    stage = _temporary()
    for path in paths:
        source, place = root / path, stage / path.rpartition("/./")[2]
        if source.is_dir():
            shutil.copytree(source, place, ignore=_LEFTOVERS, dirs_exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)
    return stage


@functools.cache
def _build_context(root: Path, name: str) -> Path:
    """The files which a Dockerfile's .dockerignore lets through.

    Its first line is `*`, and all that follow are one `!pattern` each; `make test` holds it to that.
    """
    stage = _temporary()
    listed = (root / name / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for pattern in (line.removeprefix("!") for line in listed if line.startswith("!")):
        for file in sorted(root.glob(pattern)):
            place = stage / file.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)
    return stage


def _temporary() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="classifier-assets-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
