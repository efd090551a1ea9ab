"""The pages of this repository that people read, and what stands in them: code, links and headings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.pins import ROOT

_FENCE = re.compile(r"^( *)(`{3,})(.*?)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)((?: {4}\S.*\n)+)(?=\n|\Z)")
_INLINE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_SKIPPED: Final = frozenset((".venv", ".local", "cdk.out", "node_modules", ".pytest_cache"))


@dataclass(frozen=True)
class Code:
    """A block of code: its language as the fence names it (empty: none), its text, the line it begins at."""

    language: str
    text: str
    line: int

    def typed(self) -> Iterator[tuple[str, list[str]]]:
        """Of a `console` block each command, which may go on in lines with `> `, and the lines below it."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            first, *others = part.splitlines()
            more = list(itertools.takewhile(lambda line: line.startswith("> "), others))
            yield "\n".join([first, *(line[2:] for line in more)]), others[len(more) :]


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text with nothing but line ends in place of blocks of code."""
        return _FENCE.sub(lambda found: "\n" * found[0].count("\n"), self.text)

    def code(self) -> Iterator[Code]:
        """The blocks, fenced and indented."""
        for found in _FENCE.finditer(self.text):
            words = found[3].split()
            yield Code(words[0] if words else "", found[4], self._line(found.start()))
        for found in _INDENTED.finditer(self.prose):
            yield Code("", found[1].replace("    ", "", 1).replace("\n    ", "\n"), self._line(found.start()))

    def spans(self) -> Iterator[str]:
        """Code within a line."""
        for found in _INLINE.finditer(self.prose):
            yield " ".join(found[2].split())

    def links(self) -> Iterator[str]:
        """Where its links and pictures point."""
        for found in _LINK.finditer(_INLINE.sub("", self.prose)):
            yield found[1]

    def anchors(self) -> set[str]:
        """The headings, as a link names them: by GitHub's rule, and by the one of the site that is built."""
        titles = [_plain(found[1]) for found in _HEADING.finditer(self.prose)]
        ours = {re.sub(r"[-\s]+", "-", each) for each in titles}
        return ours & {each.replace(" ", "-") for each in titles} | {""}

    def _line(self, place: int) -> int:
        return self.text.count("\n", 0, place) + 1


def pages() -> list[Page]:
    """Every page of this repository, the README first."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *(ROOT / "docs").rglob("*/*.md")]
    kept = {path for path in found if not _SKIPPED & set(path.relative_to(ROOT).parts)}
    return [Page(path) for path in sorted(kept, key=lambda path: (path.name != "README.md", path))]


def _plain(title: str) -> str:
    """A heading's words in small letters, without what an anchor leaves out."""
    words = _LINK.sub(lambda found: found[0].partition("](")[0].lstrip("!["), title)
    return re.sub(r"[^\w\s-]", "", words.lower()).strip()
