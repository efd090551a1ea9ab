"""Says as JSON what is installed where it runs: Python, its packages, Debian's packages.

Standard library only, and nothing of this repository: `bom` runs this text with an image's own Python.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path


def licence(package: importlib.metadata.Distribution) -> str:
    """As its metadata says it in the shortest of the three ways there are; empty if it says none."""
    about = package.metadata
    short = [each for each in (about["License-Expression"], about["License"]) if each and len(each) < 60]
    classifiers = [each for each in about.get_all("Classifier") or [] if each.startswith("License :: ")]
    return (short or [each.rpartition(" :: ")[2] for each in classifiers] or [""])[0]


def paragraphs(path: str) -> list[dict[str, str]]:
    """Debian's list of packages: paragraphs of `Field: value`."""
    text = Path(path).read_text() if Path(path).exists() else ""
    lines = [
        [line.partition(": ") for line in each.splitlines() if ": " in line] for each in text.split("\n\n")
    ]
    return [{name: value for name, _, value in each} for each in lines if each]


def system() -> dict[str, str]:
    """os-release(5), where there is one."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


if __name__ == "__main__":
    found = {each.metadata["Name"]: each for each in importlib.metadata.distributions()}
    wanted = ("Package", "Version", "Architecture", "Source", "Status")
    debian = [{name: each.get(name, "") for name in wanted} for each in paragraphs("/var/lib/dpkg/status")]
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "system": system(),
                "packages": [
                    {"name": name, "version": each.version, "licence": licence(each)}
                    for name, each in found.items()
                ],
                "debian": [each for each in debian if each["Status"].endswith(" installed")],
            }
        )
    )
