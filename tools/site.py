"""The documentation as a site: `make docs` writes it to .local/site.

MkDocs Material has an environment of its own, installed at the first run. A link that leads nowhere ends
it. The pages can be read without a server, all but their search, and ask none: no font and no script comes
from elsewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tools import audit, pins
from tools.pins import ROOT

ENVIRONMENT: Final = ROOT / ".local" / "docs"
SITE: Final = ROOT / ".local" / "site"
_LOADED = re.compile(
    r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?(?:https?:)?//|<link[^>]*\shref=[\"']?(?:https?:)?//"
)


def main() -> int:
    """1 where it could not be installed or built, or a page would ask another server."""
    if not audit.install(ENVIRONMENT, pins.DOCS):
        return 1
    command = [str(ENVIRONMENT / "bin" / "mkdocs"), "build", "--strict", "--site-dir", str(SITE)]
    quiet = {"NO_MKDOCS_2_WARNING": "1"}  # Material's words about MkDocs 2, which is not what is installed
    if subprocess.run(command, cwd=ROOT, env=os.environ | quiet).returncode:
        return 1
    if asking := [path.name for path in asks_elsewhere(SITE.rglob("*.html"))]:
        print(f"docs: these pages load something from another server: {', '.join(asking)}", file=sys.stderr)
        return 1
    print(f"docs: {SITE.relative_to(ROOT)}/index.html")
    return 0


def asks_elsewhere(files: Iterable[Path]) -> list[Path]:
    """Those of the pages that load a script, a style, a picture or a font from another server."""
    return [path for path in files if _LOADED.search(path.read_text(encoding="utf-8"))]


if __name__ == "__main__":
    sys.exit(main())
