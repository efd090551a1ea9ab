"""Checkpoints: all that a job needs to go on where it was, in one file of numbers and a JSON note.

It replaces the previous one in a single rename, so there is always one whole checkpoint, also when the disk
is full or the machine goes away in the middle.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from training_code.errors import UnusableCheckpoint

_FORMAT: Final = 1
FILE: Final = "checkpoint.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: groups of tensors by name, and where the job was."""

    tensors: dict[str, dict[str, Tensor]]
    note: dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoint folder of one job, or none. `identity` says what training it belongs to."""

    folder: Path | None
    identity: Mapping[str, Any]

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint. A disk that is full costs this one; the job and the last one stay."""
        if self.folder is None:
            return
        tensors = {
            f"{group}/{name}": tensor.detach().cpu().contiguous()
            for group, named in checkpoint.tensors.items()
            for name, tensor in named.items()
        }
        note = {"format": _FORMAT, "identity": dict(self.identity), **checkpoint.note}
        unfinished = self.folder / f".{FILE}.unfinished"
        try:
            safetensors.torch.save_file(tensors, unfinished, metadata={"note": json.dumps(note)})
            _flush(unfinished)
            unfinished.replace(self.folder / FILE)
        except (OSError, SafetensorError) as error:
            print(f"warning: no checkpoint written, the last one stays: {error}", flush=True)
            unfinished.unlink(missing_ok=True)

    def latest(self) -> Checkpoint | None:
        """The checkpoint to go on from, if there is one that can be read.

        Raises:
            UnusableCheckpoint: it is of another training than this one.
        """
        if self.folder is None or not (path := self.folder / FILE).exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                note = json.loads(file.metadata()["note"])
                tensors: dict[str, dict[str, Tensor]] = {}
                for key in file.keys():  # noqa: SIM118 (not a dict)
                    group, name = key.split("/", 1)
                    tensors.setdefault(group, {})[name] = file.get_tensor(key)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            print(f"warning: the checkpoint {path} is damaged, training starts anew: {error}", flush=True)
            return None
        self._check(note, path)
        return Checkpoint(tensors, note)

    def _check(self, note: Mapping[str, Any], path: Path) -> None:
        theirs = {"format": note.get("format"), **note.get("identity", {})}
        ours = {"format": _FORMAT, **json.loads(json.dumps(dict(self.identity)))}
        different = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
        if different:
            raise UnusableCheckpoint(
                f"the checkpoint {path} is of another training (it differs in {', '.join(different)}); "
                f"give this job a checkpoint folder of its own, or empty this one"
            )


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
