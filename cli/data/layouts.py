"""Which files of a folder are pictures of which class and split, in the layouts that people have.

Taken are one folder per class, below `train`, `valid` and `test` or not; the same inside an outer folder such
as `images/`; and a table beside the pictures (`tables`). What lies deeper inside a class belongs to that
class, as it does for a training job. Everything that is left out is a finding.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.data import tables
from cli.data.findings import BadDataset, BadUpload, Finding
from cli.data.splits import SPLIT_NAMES
from cli.files import files_below, refuse
from contract.datasets import SPLITS, SUFFIXES, rules

_UNPACK: Final = {
    ".zip": "unzip {file} -d {folder}",
    ".tar": "mkdir {folder} && tar -xf {file} -C {folder}",
    ".tgz": "mkdir {folder} && tar -xf {file} -C {folder}",
    ".gz": "mkdir {folder} && tar -xf {file} -C {folder}",
}
_LEVELS: Final = 4
"""Of outer folders that hold nothing but one folder."""


@dataclass(frozen=True, order=True, slots=True)
class File:
    """A file that may be a picture."""

    path: Path
    label: str
    split: str
    """Empty: the folder does not say."""
    name: str
    """Its path below its class."""


def find(folder: Path, findings: list[Finding]) -> list[File]:
    """The files of a picture folder, in order; what is left out is added to `findings`.

    Raises:
        BadUpload: there is no picture in it where one should be; says why and what to do.
    """
    must_be_folder(folder)
    top = _inside_outer_folders(folder)
    if top != folder:
        findings.append(Finding("layout", _below(top, folder), "is where the classes are", skipped=False))
    hidden: list[Path] = []
    found = list(_in_class_folders(folder, top, findings, hidden))
    if not _tells_classes(found):
        found = _in_a_table(folder, top, findings) or found
    findings += _hidden(hidden, folder)
    if not found:
        raise BadUpload(_why_empty(folder, findings), findings)
    return sorted(found)


def must_be_folder(folder: Path) -> None:
    """Raises BadUpload when `folder` is missing or no folder; of an archive it says how to unpack it."""
    hint = "Give the folder that holds one subfolder per class."
    if not folder.exists():
        raise BadUpload(f"There is no folder {folder}. {hint}")
    if folder.is_dir():
        return
    unpack = _UNPACK.get(folder.suffix.lower())
    if unpack:
        place = folder.name.split(".")[0]
        command = unpack.format(file=folder, folder=place)
        raise BadUpload(f"{folder} is an archive. Unpack it, and give the folder {place}:\n  {command}")
    raise BadUpload(f"{folder} is a file. {hint}")


def _tells_classes(files: Iterable[File]) -> bool:
    """Whether the folders are classes: one, or none but `train` and `test`, may be a table's pictures."""
    labels: set[str] = set()
    for file in files:
        if file.label not in labels and _is_wanted(file.path):
            labels.add(file.label)
    return len(labels) > 1 and not all(label.lower() in SPLIT_NAMES for label in labels)


def _inside_outer_folders(folder: Path) -> Path:
    """The folder itself, or the one inside it that holds the classes: one folder alone is no set of them."""
    top = folder
    for _ in range(_LEVELS):
        inner = list(_subfolders(top))
        if len(inner) != 1 or any(_is_wanted(path) for path in _files(top)):
            break
        top = inner[0]
    # Two class folders, or splits, have to be there: one class alone is refused by its own name later.
    return top if len(list(_subfolders(top))) > 1 else folder


def _in_class_folders(folder: Path, top: Path, findings: list[Finding], hidden: list[Path]) -> Iterator[File]:
    splits = _split_folders(top, findings)
    for place in {folder, top, *splits}:
        hidden += (path for path in place.iterdir() if rules.is_hidden(path.name))
    for root, split in splits.items():
        for stray in _files(root):
            findings.append(Finding("place", _below(stray, folder), "lies outside the class folders"))
        for place in _subfolders(root):
            label = rules.same_text(place.name)
            count = 0
            for path, name in _files_below(place, hidden):
                count += 1
                yield File(path, label, split, rules.same_text(name))
            if not count:
                findings.append(
                    Finding("class", f"{_below(place, folder)}/", "holds no picture", skipped=False)
                )


def _split_folders(top: Path, findings: list[Finding]) -> dict[Path, str]:
    """The folders that hold the class folders, each with its split; the folder itself if it has no train.

    A folder called `train` with pictures of its own is a class: trains.
    """
    folders = list(_subfolders(top))
    splits = {
        each: SPLIT_NAMES[each.name.lower()]
        for each in folders
        if each.name.lower() in SPLIT_NAMES and not any(_is_wanted(path) for path in _files(each))
    }
    if "train" not in splits.values():
        return {top: ""}
    for each in folders:
        if each not in splits:
            why, count = "is beside train/ but is no split", sum(1 for _ in files_below(each))
            findings.append(Finding("place", f"{each.name}/", why, skipped=count > 0, files=count))
    twice = [name for name in SPLITS if list(splits.values()).count(name) > 1]
    if twice:
        raise BadDataset(f"{top} holds the split {twice[0]} under two names. Keep one of them.")
    return splits


def _in_a_table(folder: Path, top: Path, findings: list[Finding]) -> list[File]:
    found = tables.find(top)
    if found is None:
        return []
    # What class folders were looked for in vain says nothing now.
    findings[:] = [finding for finding in findings if finding.kind == "layout"]
    table = _below(found.path, folder)
    columns = f"columns {found.name_column} and {found.label_column}"
    what = f"says of which class {len(found.rows)} pictures are ({columns})"
    findings.append(Finding("layout", table, what, skipped=False))
    findings += [Finding("place", f"{table}, line {line}", why) for line, why in found.problems]
    findings += [Finding("place", _below(path, folder), f"is not in {table}") for path in found.unlisted]
    return [
        File(row.path, rules.same_text(row.label), row.split, rules.same_text(row.path.name))
        for row in found.rows
    ]


def _why_empty(folder: Path, findings: Iterable[Finding]) -> str:
    layout = (
        f"It must look like {folder}/<class>/<picture> or {folder}/{{train,valid,test}}/<class>/<picture>, "
        "or have a table beside the pictures with the columns file_name and label."
    )
    loose = [finding for finding in findings if Path(finding.path).suffix.lower() in SUFFIXES]
    if loose:
        return f"{folder} has {len(loose)} pictures but no class subfolders. {layout}"
    return f"{folder} holds no pictures in class subfolders. {layout}"


def _subfolders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not rules.is_hidden(each.name))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.is_dir() and not rules.is_hidden(path.name))


def _files_below(place: Path, hidden: list[Path]) -> Iterator[tuple[Path, str]]:
    """The files of a class, each with its path below the class."""
    for root, folders, names in os.walk(place, onerror=refuse):
        here, inner = Path(root), Path(root).relative_to(place).as_posix()
        hidden += (here / name for name in (*folders, *names) if rules.is_hidden(name))
        folders[:] = sorted(name for name in folders if not rules.is_hidden(name))
        prefix = "" if inner == "." else f"{inner}/"
        for name in sorted(names):
            if not rules.is_hidden(name):
                yield here / name, prefix + name


def _hidden(paths: Iterable[Path], folder: Path) -> Iterator[Finding]:
    """What was passed over for its name: a name that is in many places once."""
    alike: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(paths):
        alike["._" if path.name.startswith("._") else path.name].append(path)
    for same in alike.values():
        first, more = same[0], f", as {len(same) - 1} more of its kind" if len(same) > 1 else ""
        slash = "/" if first.is_dir() else ""
        why = "is hidden; rename it if it holds pictures" if _is_ones_own(first) else "is the system's own"
        yield Finding("place", f"{_below(first, folder)}{slash}", why + more)


def _is_ones_own(path: Path) -> bool:
    """Whether a person may have named it so."""
    return path.name.startswith(".") and not path.name.startswith("._") and path.name != ".DS_Store"


def _is_wanted(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))
