"""Asks for known faults in all that is pinned: `make audit`; with IMAGE=name in a built image too.

Python's packages by pip-audit (PyPI's advisories), the CDK CLI by `npm audit`, an image with its Debian
packages by trivy or grype where one of them is installed. It fails for what is found and is not in
accepted.toml, and for what could not be asked: a service that does not answer is no clean bill.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cli import node
from tools import lock, pins
from tools.pins import ROOT, Pin

ENVIRONMENT: Final = ROOT / ".local" / "audit"
ACCEPTED: Final = ROOT / "tools" / "accepted.toml"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make audit", description="ask for known faults in all that is pinned"
    )
    parser.add_argument(
        "--image", help="a built image to scan too, with the trivy or grype that is installed"
    )
    asked, for_pip_audit = parser.parse_known_args(arguments)
    failed = [] if _python(for_pip_audit) else ["Python's packages"]
    failed += [] if _cdk_cli() else ["the CDK CLI"]
    if asked.image:
        failed += [] if _image(asked.image) else [f"the image {asked.image}"]
    if failed:
        reasons = f"{', '.join(failed)}: see above what was found or could not be asked"
        remedy = (
            f"`make lock UPGRADE=name` takes a newer one, {ACCEPTED.relative_to(ROOT)} says why one stays"
        )
        print(f"audit: {reasons}. {remedy}.", file=sys.stderr)
    return int(bool(failed))


def accepted() -> list[str]:
    """The advisories that are known and stay."""
    return [each["id"] for each in tomllib.loads(ACCEPTED.read_text())["advisory"]]


def _python(more: Sequence[str]) -> bool:
    if not install(ENVIRONMENT, pins.AUDIT):  # of its own: what it needs would bind what is audited
        return False
    ignored = [part for each in accepted() for part in ("--ignore-vuln", each)]
    # Without --strict a package that the service does not know is skipped, and all is said to be well.
    options = ["--strict", "--require-hashes", "--disable-pip", "--progress-spinner", "off", *ignored, *more]
    clean = True
    with tempfile.TemporaryDirectory() as folder:
        files = (pins.LAPTOP, pins.AUDIT, pins.CHECKOV, pins.DOCS, *(each.path for each in lock.DERIVED))
        for number, pinned in enumerate(rounds(pin for path in files for pin in pins.read(path))):
            path = Path(folder) / f"{number}.txt"
            path.write_text("".join(f"{pin}\n" for pin in pinned))
            print(f"pip-audit: {len(pinned)} packages", flush=True)
            command = [str(ENVIRONMENT / "bin" / "pip-audit"), *options, "--requirement", str(path)]
            clean &= subprocess.run(command).returncode == 0
    return clean


def rounds(pinned: Iterable[Pin]) -> list[list[Pin]]:
    """Each version of each package once, whatever its marker, in lists with one version of a package each."""
    lists: list[dict[str, Pin]] = []
    for pin in {(pin.name, pin.version): replace(pin, marker="") for pin in pinned}.values():
        free = next((each for each in lists if pin.name not in each), None)
        if free is None:
            lists.append(free := {})
        free[pin.name] = pin
    return [list(each.values()) for each in lists]


def install(environment: Path, pinned: Path) -> bool:
    """Exactly what a requirements file pins, in an environment of its own; whether that went well."""
    uv = [sys.executable, "-m", "uv"]
    made = [*uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment)]
    only = ["--quiet", "--require-hashes", "--no-build", "--python", str(environment)]
    synced = [*uv, "pip", "sync", *only, str(pinned)]
    return all(subprocess.run(each).returncode == 0 for each in (made, synced))


def _cdk_cli() -> bool:
    done = node.npm(lock.CDK, "audit", "--package-lock-only", "--loglevel", "error")
    print(f"npm audit: {(done.stdout + done.stderr).strip()}", flush=True)
    return done.returncode == 0


def _image(name: str) -> bool:
    """Of Debian's packages those that have a mended version: for the rest there is nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        ignored = Path(folder) / "ignored"
        if shutil.which("trivy"):
            ignored.write_text("\n".join(accepted()))
            what = ["--scanners", "vuln", "--ignore-unfixed", "--severity", "MEDIUM,HIGH,CRITICAL"]
            command = ["trivy", "image", *what, "--ignorefile", str(ignored), "--exit-code", "1", name]
        elif shutil.which("grype"):
            ignored.write_text("ignore:\n" + "".join(f"  - vulnerability: {each}\n" for each in accepted()))
            command = ["grype", "--only-fixed", "--fail-on", "medium", "--config", str(ignored), name]
        else:
            print("neither trivy nor grype is installed: nobody looked at the image", flush=True)
            return False
        return subprocess.run(command).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
