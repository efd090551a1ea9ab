"""The folders of this repository which the stacks package: what goes into each asset, and what stays out.

The stacks know these folders, never what is in them. A missing folder is found here, before CDK starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import FileSystem, IgnoreMode
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_deployment as deployment

# Leftovers of running the code here; they would change the asset's hash, and with it deploy for nothing.
_LEFTOVERS = [
    "**/__pycache__",
    "**/*.pyc",
    "**/.pytest_cache",
    "**/.mypy_cache",
    "**/.ruff_cache",
    "**/.DS_Store",
]


class MissingFolderError(Exception):
    """A folder that the stacks package is not there."""


@dataclass(frozen=True, slots=True)
class Folders:
    root: Path
    """The repository."""

    def check(self) -> None:
        """Raise MissingFolderError, naming the folder, unless all folders are there."""
        for name in ("lambda", "training_code", "inference_code", "recipes"):
            if not (self.root / name).is_dir():
                raise MissingFolderError(
                    f"the folder {name}/ is missing in {self.root}; the stacks package it."
                    " Restore it with git."
                )

    def lambda_code(self) -> lambda_.AssetCode:
        return lambda_.Code.from_asset(
            str(self.root / "lambda"), exclude=_LEFTOVERS, ignore_mode=IgnoreMode.DOCKER
        )

    def training_code(self) -> deployment.ISource:
        return self._source("training_code")

    def recipes(self) -> deployment.ISource:
        return self._source("recipes")

    def training_code_hash(self) -> str:
        """What the training code is called in the artifacts bucket; changes with every byte of it."""
        fingerprint = FileSystem.fingerprint(
            str(self.root / "training_code"), exclude=_LEFTOVERS, ignore_mode=IgnoreMode.DOCKER
        )
        return fingerprint[:16]

    def image_context(self, name: str) -> tuple[str, list[str]]:
        """The folder of a Dockerfile, and what its .dockerignore keeps out of the build."""
        folder = self.root / name
        ignore = folder / ".dockerignore"
        listed = ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []
        return str(folder), [*_LEFTOVERS, *(line.strip() for line in listed if line.strip())]

    def _source(self, name: str) -> deployment.ISource:
        return deployment.Source.asset(
            str(self.root / name), exclude=_LEFTOVERS, ignore_mode=IgnoreMode.DOCKER
        )
