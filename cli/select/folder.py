"""The folder to label: a folder for each class that the model said, and a table of why each was chosen.

It is whole or not there. What a person moved in it is never touched: the same choice a second time changes
nothing, and another one is told to go elsewhere. All pictures lie below `train`: what was chosen for being
hard says too little of the others to be in test.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any, Final

from cli.batch.job import UnreadableAnswers
from cli.errors import CliError
from cli.select.answered import Answers
from cli.select.choice import Group
from cli.select.pictures import Taken
from contract.datasets.rules import is_hidden

TABLE: Final = "to-label.csv"
TOLD: Final = "selection.json"
PLACE: Final = "train"
COLUMNS: Final = ("file", "key", "predicted_class", "confidence", "why")
_ODD: Final = re.compile(r"[^\w.-]+")
_LONGEST_NAME: Final = 60


class FolderInUse(CliError):
    """The folder holds something else; nothing was changed in it."""


@dataclass(frozen=True)
class Choice:
    """What was asked for: the same is there already where a folder's is equal."""

    job: str
    count: int
    dataset: str


@dataclass(frozen=True)
class Chosen:
    """A picture in the folder."""

    file: str
    """Its path below the folder."""
    key: str
    """As the batch's answers name it."""
    predicted_class: str
    confidence: float
    why: str


def there(out: Path, choice: Choice) -> list[Chosen] | None:
    """What an earlier command put there; None where the folder is free.

    Raises:
        FolderInUse: something else lies there.
    """
    if not out.exists():
        if not out.parent.is_dir():
            raise FolderInUse(f"There is no folder {out.parent} for {out.name}.")
        return None
    if not out.is_dir():
        raise FolderInUse(f"{out} is a file; name a folder with --out.")
    if not any(out.iterdir()):
        return None
    try:
        told = json.loads((out / TOLD).read_text(encoding="utf-8"))
        same = told["choice"] == asdict(choice)
        chosen = [Chosen(**each) for each in told["pictures"]]
    except (OSError, ValueError, LookupError, TypeError):
        raise FolderInUse(f"{out} is not empty; name another folder with --out.") from None
    if not same:
        before = told["choice"]
        raise FolderInUse(
            f"{out} holds another choice: {before.get('count')} of {before.get('job')}. Name another folder "
            "with --out."
        )
    return chosen


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A hidden folder to fill, which is gone at the end unless it took the folder's place."""
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as place:
        yield Path(place)


def lay_out(
    place: Path, out: Path, choice: Choice, answers: Answers, taken: Sequence[Taken], groups: Sequence[Group]
) -> list[Chosen]:
    """Sort the pictures into class folders of `place`, and put that where `out` is to be."""
    whole = place / "whole"
    chosen = [_laid(whole, answers, each, groups[each.group]) for each in taken]
    with (whole / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(each) for each in chosen)
    told: dict[str, Any] = {"choice": asdict(choice), "pictures": [asdict(each) for each in chosen]}
    (whole / TOLD).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if out.exists():
        out.rmdir()  # `there` found it empty
    whole.replace(out)
    return chosen


def _laid(whole: Path, answers: Answers, taken: Taken, group: Group) -> Chosen:
    name, label = answers.names[taken.row], answers.classes[answers.best[taken.row, 0]]
    if PurePosixPath(label).name != label or is_hidden(label):
        raise UnreadableAnswers(f"The model's class {label!r} cannot be a folder's name.")
    file = f"{PLACE}/{label}/{_file_name(name)}{taken.checked.suffix}"
    (whole / PLACE / label).mkdir(parents=True, exist_ok=True)
    taken.path.replace(whole / file)
    confidence = round(float(answers.shares[taken.row, 0]), 6)
    return Chosen(file, name, label, confidence, _why(answers, taken.row, group))


def _file_name(name: str) -> str:
    """A name that people know the picture by, and that no other picture has."""
    stem = _ODD.sub("_", PurePosixPath(name).stem).strip("._")[:_LONGEST_NAME]
    return f"{stem}-{blake2b(name.encode(), digest_size=4).hexdigest()}".lstrip("-")


def _why(answers: Answers, row: int, group: Group) -> str:
    said = [
        f"{answers.classes[index]} {share:.2f}"
        for index, share in zip(answers.best[row], answers.shares[row], strict=True)
    ]
    alike = f"stands for {len(group.rows)} alike" if len(group.rows) > 1 else "like no other"
    unlike = "; unlike training" if answers.unlike[row] else ""
    return f"{' or '.join(said)}; {alike}{unlike}"
