"""A picture folder becomes a data set: look at every picture, say what is wrong, give each its split.

`examine(folder)` finds classes and splits (`layouts`), checks all pictures in parallel and sets aside what
must not be learned from; it needs nothing but the folder. `assign(examined, before)` fills missing splits, as
far as the version before does not decide them, and refuses what cannot work. Nothing has been copied or
changed by then.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from cli.data import layouts, near_duplicates, splits
from cli.data.cache import Cache
from cli.data.decisions import Decisions
from cli.data.findings import BadDataset, Finding
from cli.data.layouts import File
from cli.data.pictures import Checked, check
from contract.datasets import SPLITS, manifest, rules
from contract.datasets.manifest import Counts, Picture

_CHUNK: Final = 64
"""Files that a thread takes at once: one at a time, handing them out costs as much as small pictures do."""


@dataclass(frozen=True)
class Examined:
    """A folder's usable pictures, with an empty split where the folder says none, and every finding."""

    folder: Path
    pictures: tuple[Picture, ...]
    paths: Mapping[str, str]
    """The file of each content, as text: a million paths are 300 MB more."""
    findings: tuple[Finding, ...]
    moved: Mapping[str, str] = field(default_factory=dict)
    """The split that a person decided for contents."""
    thumbnails: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Of each content, to find near duplicates by."""

    def grouped(self, before: Iterable[Picture], compared: bool = False) -> Examined:
        """The same with near duplicates in one group, and every picture in the group that it had before.

        Without a picture that is new there are no new near duplicates to look for.

        Args:
            before: the pictures of the version before.
            compared: whether those were looked for near duplicates when they came.
        """
        group_of = {picture.content: picture.group for picture in before}
        pictures = tuple(
            replace(picture, group=group_of[picture.content])
            if not picture.group and group_of.get(picture.content)
            else picture
            for picture in self.pictures
        )
        if any(picture.content not in group_of for picture in pictures):
            pictures = near_duplicates.grouped(pictures, self.thumbnails, group_of if compared else ())
        return replace(self, pictures=pictures)


@dataclass(frozen=True)
class Dataset:
    """What the folder holds, what was found on the way, and which splits had to be made."""

    folder: Path
    pictures: tuple[Picture, ...]
    paths: Mapping[str, str]
    findings: tuple[Finding, ...]
    made_splits: tuple[str, ...]

    @cached_property
    def counts(self) -> Mapping[str, Counts]:
        """Pictures of each class in each split."""
        return manifest.count(self.pictures)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.counts)

    def count(self, split: str, label: str | None = None) -> int:
        """Pictures in a split, of one class or all."""
        labels = self.classes if label is None else (label,)
        return sum(self.counts[each][split] for each in labels)


def examine(
    folder: Path,
    on_checked: Callable[[int, int], None] = lambda done, total: None,
    cache: Path | None = None,
    group_of: Callable[[File], str] = lambda file: "",
    decisions: Decisions | None = None,
) -> Examined:
    """Looks at every picture of `folder`.

    Args:
        on_checked: called with (pictures checked, pictures in all).
        cache: what was found in files before, which are then not decoded again.
        group_of: the group that a picture belongs to; empty for none.
        decisions: what a person decided about single pictures.

    Raises:
        BadDataset: there are no pictures in it where they should be; says why and what to do.
    """
    findings: list[Finding] = []
    decisions = decisions or Decisions()
    files = layouts.find(folder, findings)
    pictures: list[Picture] = []
    path_of: dict[Picture, Path] = {}
    thumbnails: dict[str, bytes] = {}
    for file, result in zip(files, _checked(files, folder, cache, on_checked), strict=True):
        if result.problem:
            findings.append(Finding(result.problem_kind, _below(file.path, folder), result.problem))
            continue
        if result.remark:
            findings.append(Finding("name", _below(file.path, folder), result.remark, skipped=False))
        picture = Picture(
            label=file.label,
            split=file.split,
            name=file.name,
            content=result.content,
            size=result.size,
            key=result.content + result.suffix,
            group=group_of(file),
        )
        decided = decisions.apply(picture, file.path.relative_to(folder).as_posix())
        if decided is None:
            findings.append(Finding("decision", _below(file.path, folder), "goes, as was decided"))
            continue
        pictures.append(decided)
        thumbnails[decided.content] = result.thumbnail
        path_of[decided] = file.path
    findings += decisions.unused()
    cleaned = rules.once(pictures)
    findings += _duplicates(cleaned, path_of, folder)
    for label in sorted({file.label for file in files} - {each.label for each in cleaned.pictures}):
        findings.append(Finding("class", label, "has no usable picture left and is left out"))
    paths = {each.content: os.fspath(path_of[each]) for each in cleaned.pictures}
    pictures_once = tuple(rules.named_once(cleaned.pictures))
    return Examined(folder, pictures_once, paths, tuple(findings), decisions.moved, thumbnails)


def assign(examined: Examined, before: Iterable[Picture] = (), keep: bool = False) -> Dataset:
    """Decides every picture's split.

    Args:
        examined: what `examine` found.
        before: the pictures of the version before; those in chosen splits keep theirs, so that adding
            pictures never moves one from test to train.
        keep: those that the folder does not have stay, so that splits and classes need not all be in it.

    Raises:
        BadDataset: it cannot become a data set; says why and what to do.
    """
    before = tuple(before)
    here = {picture.content for picture in examined.pictures}
    stay = [picture for picture in before if keep and picture.content not in here]
    fixed = {picture.split for picture in examined.pictures if picture.split}
    if fixed:
        fixed |= {picture.split for picture in stay}
    missing = tuple(split for split in SPLITS if split not in fixed)
    # Without any split all pictures are dealt out; with some missing, those are carved out of train.
    dealt = [picture for picture in examined.pictures if missing and picture.split in ("", "train")]
    chosen = splits.fill(
        [splits.Candidate(each.content, each.label, each.group) for each in [*dealt, *stay]],
        missing,
        {picture.content: picture.split for picture in before} | dict(examined.moved),
    )
    chosen |= examined.moved
    pictures = [
        replace(picture, split=chosen.get(picture.content) or picture.split or "train")
        for picture in examined.pictures
    ]
    dataset = Dataset(
        examined.folder, tuple(rules.named_once(pictures)), examined.paths, examined.findings, missing
    )
    _refuse_what_cannot_work(dataset, stay)
    return dataset


def dataset_name(folder: Path) -> str:
    """The data set's name when none is given: the folder's, made fit for a bucket key."""
    slug = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40]
    return "dataset" if slug in ("", "datasets") else slug


def _checked(
    files: list[File], folder: Path, cache_file: Path | None, on_checked: Callable[[int, int], None]
) -> list[Checked]:
    cache = Cache(cache_file, folder)

    # Of more pictures near duplicates are not looked for, and nothing else needs these.
    small = len(files) <= near_duplicates.MOST

    def look(some: list[File]) -> list[Checked]:
        results = []
        for file in some:
            result = cache.get(file.path)
            if result is None:
                result = check(file.path)
                cache.put(file.path, result)
            results.append(result if small else result._replace(thumbnail=b""))
        return results

    results: list[Checked] = []
    try:
        with ThreadPoolExecutor(8) as pool:
            for some in pool.map(look, (files[at : at + _CHUNK] for at in range(0, len(files), _CHUNK))):
                results += some
                on_checked(len(results), len(files))
    finally:
        cache.save()  # of what Ctrl-C interrupts, the rest is looked at the next time
    return results


def _duplicates(cleaned: rules.Cleaned, path_of: Mapping[Picture, Path], folder: Path) -> list[Finding]:
    findings = []
    for same in cleaned.contradictions:
        labels = " and ".join(sorted({picture.label for picture in same}))
        why = f"the same picture lies in the classes {labels}"
        findings += [Finding("contradiction", _below(path_of[each], folder), why) for each in same]
    for copy, kept in cleaned.copies:
        why = f"has the content of {_below(path_of[kept], folder)}"
        findings.append(Finding("duplicate", _below(path_of[copy], folder), why))
    return findings


def _refuse_what_cannot_work(dataset: Dataset, stay: Sequence[Picture]) -> None:
    problem = rules.problem(manifest.count([*dataset.pictures, *stay]))
    if problem is None:
        return
    aside = " (what was set aside stands above)" if any(each.skipped for each in dataset.findings) else ""
    grouped = any(picture.group for picture in dataset.pictures)
    groups = " (--group-by may have put a whole class into one group)" if grouped else ""
    raise BadDataset(f"{dataset.folder} {problem.what}{aside}: {problem.remedy}{groups}.", dataset.findings)


def _below(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))
