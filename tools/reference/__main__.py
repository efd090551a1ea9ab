"""Writes the pages; with --check says which of them are not as the code is, and writes none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.pins import ROOT
from tools.reference import recipes, settings

PAGES: Final[Mapping[Path, Callable[[], str]]] = {
    ROOT / "docs" / "settings.md": settings.page,
    ROOT / "docs" / "recipe-keys.md": recipes.page,
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where a page is out of date")
    check = parser.parse_args(arguments).check
    old = [path for path, page in PAGES.items() if not path.exists() or path.read_text("utf-8") != page()]
    for path in old:
        if not check:
            path.write_text(PAGES[path](), "utf-8")
        print(f"{'out of date, run `make reference`' if check else 'changed'}: {path.relative_to(ROOT)}")
    return int(check and bool(old))


if __name__ == "__main__":
    sys.exit(main())
