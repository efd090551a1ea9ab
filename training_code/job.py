"""The base folder SageMaker gives a training job: what lies where, and how the job tells how it ended.

See AWS, "How Amazon SageMaker AI Provides Training Information" and "... Processes Training Output".
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract import jobs
from contract.datasets import SPLITS
from training_code.errors import InvalidHyperparameter, UnusableDataset

_OBJECTIVE: Final = "_tuning_objective_metric"

_FAILURE_CHARACTERS: Final = 1024
"""SageMaker shows this much of the failure file."""


@dataclass(frozen=True)
class Cluster:
    """The hosts of a job, and this one's rank, network interface and instance type, empty where not known."""

    hosts: tuple[str, ...] = ("localhost",)
    rank: int = 0
    interface: str = ""
    instance_type: str = ""


@dataclass(frozen=True)
class Job:
    """One training job's folders and name."""

    base: Path
    name: str

    @staticmethod
    def from_environment() -> Job:
        """The job of this process."""
        return Job(
            base=Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")),
            name=os.environ.get("TRAINING_JOB_NAME", "local"),
        )

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz."""
        return self.base / "model"

    @property
    def output_data(self) -> Path:
        """What becomes output.tar.gz."""
        return self.base / "output" / "data"

    @property
    def checkpoints(self) -> Path | None:
        """Where checkpoints outlive this machine; none unless the job was given a place for them.

        A folder of the job's own: the trials of a tuning job are all given the same place.
        """
        place = self.base / "checkpoints"
        if not place.is_dir():
            return None
        folder = place / self.name
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def pretrained(self) -> Path:
        """The channel with starting weights."""
        return self.base / "input" / "data" / jobs.PRETRAINED

    @property
    def lists(self) -> Path | None:
        """The channel with the lists of pictures of a data set's version; None without one."""
        folder = self.base / "input" / "data" / jobs.DATASET
        return folder if folder.is_dir() else None

    @property
    def champion(self) -> Path:
        """The artifact of the model that serves, in the channel of that name; there need be none."""
        return self.base / "input" / "data" / jobs.CHAMPION / "model.tar.gz"

    @property
    def is_trial(self) -> bool:
        """Whether a tuning job started this one: SageMaker then adds the objective's name."""
        return _OBJECTIVE in self.hyperparameters()

    @property
    def features(self) -> Path:
        """The channel with frozen features that other jobs computed."""
        return self.base / "input" / "data" / "features"

    def cluster(self) -> Cluster:
        """The instances of this job, and this one's place among them; one where nothing says more."""
        path = self.base / "input" / "config" / "resourceconfig.json"
        if not path.exists():
            return Cluster()
        resources = json.loads(path.read_text(encoding="utf-8"))
        hosts = tuple(sorted(resources["hosts"]))
        return Cluster(
            hosts,
            hosts.index(resources["current_host"]),
            resources.get("network_interface_name", ""),
            resources.get("current_instance_type", ""),
        )

    def hyperparameters(self) -> dict[str, str]:
        """The strings of hyperparameters.json; none when there is no such file.

        Raises:
            InvalidHyperparameter: the file is not a JSON object.
        """
        path = self.base / "input" / "config" / "hyperparameters.json"
        if not path.exists():
            return {}
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise InvalidHyperparameter(f"{path} is not JSON: {error}") from None
        if not isinstance(values, dict):
            raise InvalidHyperparameter(f"{path} must hold one JSON object of names and values")
        return {str(key): str(value) for key, value in values.items()}

    def splits(self) -> dict[str, Path]:
        """The folders of train, valid and test: channels of these names, or folders in a channel `training`.

        Raises:
            UnusableDataset: one of the three is missing or empty.
        """
        channels = self.base / "input" / "data"
        parent = channels / "training"
        root = parent if parent.is_dir() and not (channels / "train").is_dir() else channels
        kind = "folder" if root == parent else "channel"
        for split in SPLITS:
            folder = root / split
            if not folder.is_dir() or not any(folder.iterdir()):
                have = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
                raise UnusableDataset(
                    f"the {kind} {split!r} is {'empty' if folder.is_dir() else 'missing'}: a training job "
                    f"needs {', '.join(SPLITS)}, each with one folder of pictures per class"
                    f" (there is: {', '.join(have) or 'nothing'})"
                )
        return {split: root / split for split in SPLITS}

    def begin(self) -> None:
        """Forget why an earlier attempt in the same folder failed."""
        self._failure.unlink(missing_ok=True)

    def fail(self, message: str) -> bool:
        """Leave the reason where SageMaker looks for it, unless one is there already: when one of several
        processes fails, the others only fail for missing it. Whether this was the first.
        """
        self._failure.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._failure.open("x", encoding="utf-8") as file:
                file.write(message[:_FAILURE_CHARACTERS])
        except FileExistsError:
            return False
        return True

    @contextmanager
    def telling_if_killed(self, message: str) -> Iterator[None]:
        """Leave a reason ahead, while the `with` lasts: whom the kernel kills has no time to give one."""
        self._failure.parent.mkdir(parents=True, exist_ok=True)
        self._failure.write_text(message, encoding="utf-8")
        try:
            yield
        finally:
            self._failure.unlink(missing_ok=True)

    @property
    def failed(self) -> bool:
        """Whether a reason was left."""
        return self._failure.exists()

    @property
    def _failure(self) -> Path:
        return self.base / "output" / "failure"
