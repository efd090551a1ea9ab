"""A picture folder becomes a dataset: look at every picture, say what is wrong, give each its split.

`examine(folder)` finds classes and splits, checks all pictures in parallel and sets aside what must not be
learned from; it needs nothing but the folder. `assign(examined, assigned)` fills missing splits, as far as
what was uploaded before does not decide them, and refuses what cannot work. Its result, `Dataset`, lists what
to upload and every finding; nothing has been copied or changed by then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cli.data.pictures import Checked, check
from cli.data.splits import fill
from cli.errors import CliError
from contract.datasets import SPLITS, SUFFIXES

SPLIT_NAMES = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}
IGNORED = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Picture:
    """One usable picture: its file, class, name in the bucket, size in bytes and MD5 (hex) of its content."""

    path: Path
    label: str
    name: str
    size: int
    md5: str
    split: str


@dataclass(frozen=True)
class Finding:
    """Something about one file worth knowing. `skipped` files are not uploaded."""

    kind: str
    path: str
    why: str
    skipped: bool = True


class BadDataset(CliError):
    """A picture folder which cannot become a dataset; `findings` says what was found in it on the way."""

    def __init__(self, message: str, findings: Iterable[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


@dataclass(frozen=True)
class Dataset:
    """What will be uploaded, what was found on the way, and which splits had to be made."""

    folder: Path
    pictures: tuple[Picture, ...]
    findings: tuple[Finding, ...]
    made_splits: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted({picture.label for picture in self.pictures}))

    def count(self, split: str, label: str | None = None) -> int:
        return sum(1 for p in self.pictures if p.split == split and label in (None, p.label))


@dataclass(frozen=True)
class _File:
    path: Path
    split: str | None  # None: the folder says nothing, a split has to be chosen
    label: str


@dataclass(frozen=True)
class Examined:
    """A folder's usable pictures with what was seen in them, and every finding."""

    folder: Path
    usable: tuple[tuple[_File, Checked], ...]
    findings: tuple[Finding, ...]


def examine(folder: Path, on_checked: Callable[[int, int], None] = lambda done, total: None) -> Examined:
    """Looks at every picture of `folder`.

    Args:
        folder: `<class>/<picture>`, or `{train,valid,test}/<class>/<picture>` (also `val`, `validation`).
        on_checked: called with (pictures checked, pictures in all).

    Raises:
        BadDataset: there are no pictures in it where they should be; says why and what to do.
    """
    findings: list[Finding] = []
    files = find_files(folder, findings)
    checked: list[tuple[_File, Checked]] = []
    with ThreadPoolExecutor(8) as pool:
        for number, (file, result) in enumerate(
            zip(files, pool.map(lambda f: check(f.path), files), strict=True), 1
        ):
            on_checked(number, len(files))
            if result.problem:
                findings.append(Finding(result.problem_kind, _relative(file.path, folder), result.problem))
            else:
                checked.append((file, result))
                if result.remark:
                    findings.append(
                        Finding("name", _relative(file.path, folder), result.remark, skipped=False)
                    )
    usable = _without_duplicates(checked, folder, findings)
    for label in sorted({file.label for file in files} - {file.label for file, _ in usable}):
        findings.append(Finding("class", label, "has no usable picture left and is left out"))
    return Examined(folder, tuple(usable), tuple(findings))


def assign(examined: Examined, assigned: Mapping[tuple[str, str], str] | None = None) -> Dataset:
    """Decides every picture's split.

    Args:
        examined: what `examine` found.
        assigned: split by (class, file name) of what was uploaded before; pictures in chosen splits keep
            theirs, so that adding pictures never moves one from test to train.

    Raises:
        BadDataset: it cannot become a dataset; says why and what to do.
    """
    pictures, made = _with_splits(examined.usable, assigned or {})
    dataset = Dataset(examined.folder, tuple(pictures), examined.findings, made)
    _refuse_what_cannot_work(dataset)
    return dataset


def must_be_folder(folder: Path) -> None:
    """Raises BadDataset when `folder` is missing or no folder."""
    hint = "Give the folder that holds one subfolder per class."
    if not folder.exists():
        raise BadDataset(f"There is no folder {folder}. {hint}")
    if not folder.is_dir():
        raise BadDataset(f"{folder} is a file. {hint}")


def dataset_name(folder: Path) -> str:
    """The dataset's name when none is given: the folder's, made fit for a bucket key."""
    slug = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40]
    return slug or "dataset"


def find_files(folder: Path, findings: list[Finding]) -> list[_File]:
    must_be_folder(folder)
    files = []
    for root, split in _split_folders(folder, findings).items():
        for stray in _files(root):
            findings.append(Finding("place", _relative(stray, folder), "lies outside the class folders"))
        for class_folder in _subfolders(root):
            inside = _files(class_folder)
            files += [_File(path, split, class_folder.name) for path in inside]
            if not inside:
                findings.append(Finding("class", f"{_relative(class_folder, folder)}/", "holds no picture"))
            for nested in _subfolders(class_folder):
                why = f"is a folder inside the class {class_folder.name}; its pictures are not taken"
                findings.append(Finding("place", f"{_relative(nested, folder)}/", why))
    if not files:
        raise BadDataset(_why_empty(folder, findings), findings)
    return files


def _split_folders(folder: Path, findings: list[Finding]) -> dict[Path, str | None]:
    """The folders that hold the class folders, each with its split; the folder itself if it has no train."""
    top = _subfolders(folder)
    splits: dict[Path, str | None] = {
        sub: SPLIT_NAMES[sub.name.lower()] for sub in top if sub.name.lower() in SPLIT_NAMES
    }
    if "train" not in splits.values():
        return {folder: None}
    for other in top:
        if other not in splits:
            findings.append(Finding("place", f"{other.name}/", "is beside train/ but is no split"))
    twice = [name for name in SPLITS if list(splits.values()).count(name) > 1]
    if twice:
        raise BadDataset(f"{folder} holds the split {twice[0]} under two names. Keep one of them.")
    return splits


def _why_empty(folder: Path, findings: list[Finding]) -> str:
    layout = (
        f"It must look like {folder}/<class>/<picture> or {folder}/{{train,valid,test}}/<class>/<picture>."
    )
    loose = [finding for finding in findings if Path(finding.path).suffix.lower() in SUFFIXES]
    if loose:
        return f"{folder} has {len(loose)} pictures but no class subfolders. {layout}"
    return f"{folder} holds no pictures in class subfolders. {layout}"


def _subfolders(folder: Path) -> list[Path]:
    return sorted(sub for sub in folder.iterdir() if sub.is_dir() and not sub.name.startswith((".", "__")))


def _files(folder: Path) -> list[Path]:
    kept = (path for path in folder.iterdir() if not path.is_dir() and not path.name.startswith("."))
    return sorted(path for path in kept if path.name.lower() not in IGNORED)


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))


def _without_duplicates(
    checked: list[tuple[_File, Checked]], folder: Path, findings: list[Finding]
) -> list[tuple[_File, Checked]]:
    """One picture of each content: the copy in test is kept before valid before train, so that nothing tested
    was learned. The same content under two classes is kept under neither: one of the labels is wrong."""
    order = {"test": 0, "valid": 1, "train": 2, None: 3}
    by_content: dict[str, list[tuple[_File, Checked]]] = {}
    for file, result in sorted(checked, key=lambda pair: (order[pair[0].split], str(pair[0].path))):
        by_content.setdefault(result.md5, []).append((file, result))
    kept = []
    for copies in by_content.values():
        labels = sorted({file.label for file, _ in copies})
        first = _relative(copies[0][0].path, folder)
        if len(labels) > 1:
            for file, _ in copies:
                why = f"the same picture lies in the classes {' and '.join(labels)}"
                findings.append(Finding("contradiction", _relative(file.path, folder), why))
            continue
        kept.append(copies[0])
        for file, _ in copies[1:]:
            findings.append(Finding("duplicate", _relative(file.path, folder), f"has the content of {first}"))
    return sorted(kept, key=lambda pair: str(pair[0].path))


def _with_splits(
    usable: Sequence[tuple[_File, Checked]], assigned: Mapping[tuple[str, str], str]
) -> tuple[list[Picture], tuple[str, ...]]:
    fixed = {file.split for file, _ in usable if file.split}
    missing = tuple(split for split in SPLITS if split not in fixed)
    # Without any split all pictures are dealt out; with some missing, those are carved out of train.
    open_files = [file for file, _ in usable if missing and file.split in (None, "train")]
    chosen = fill([(file.label, file.path.name) for file in open_files], missing, assigned)
    pictures = []
    for file, result in usable:
        split = file.split if file.split not in (None, "train") else None
        split = split or chosen.get((file.label, file.path.name)) or "train"
        pictures.append(Picture(file.path, file.label, file.path.name, result.size, result.md5, split))
    return pictures, missing


def _refuse_what_cannot_work(dataset: Dataset) -> None:
    skipped = sum(finding.skipped for finding in dataset.findings)
    aside = f" ({skipped} files were set aside, see above)" if skipped else ""
    if not dataset.pictures:
        raise BadDataset(
            f"No usable picture is left in {dataset.folder}{aside}. Mend or replace them and run again.",
            dataset.findings,
        )
    if len(dataset.classes) == 1:
        raise BadDataset(
            f"{dataset.folder} has one class only ({dataset.classes[0]}){aside}. A classifier needs at "
            "least two: add a folder with pictures of something else.",
            dataset.findings,
        )
    for split in SPLITS:
        lacking = [label for label in dataset.classes if not dataset.count(split, label)]
        if not lacking:
            continue
        names = ", ".join(lacking[:5]) + (" ..." if len(lacking) > 5 else "")
        if split in dataset.made_splits:
            raise BadDataset(
                f"Too few usable pictures of {names}{aside}: each class needs at least "
                f"{1 + len([s for s in dataset.made_splits if s != 'train'])} to have one in every split. "
                "Add some.",
                dataset.findings,
            )
        raise BadDataset(
            f"The split {split} of {dataset.folder} has no usable picture of {names}{aside}. Every class "
            "must be in every split: add pictures, or remove that class from the other splits.",
            dataset.findings,
        )
