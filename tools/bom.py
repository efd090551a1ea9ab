"""Bills of materials: `make sbom` lists what is installed, as CycloneDX in .local/sbom.

Of this machine what is there; of each image what its Dockerfile installs on its base. `make sbom IMAGE=name`
asks a built image itself, which tells of its base's Debian packages too.
https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from packaging.markers import Marker

from tools import lock, pins, registry
from tools.pins import ROOT, Pin

FOLDER: Final = ROOT / ".local" / "sbom"
INSIDE: Final = ROOT / "tools" / "inside.py"

Component = Mapping[str, Any]


class NoBom(Exception):
    """The image cannot be asked; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make sbom", description="list what is installed, as CycloneDX")
    parser.add_argument("--image", help="a built image to ask, instead of the files that are installed from")
    image = parser.parse_args(arguments).image
    try:
        boms = {_file_name(image): of_image(image)} if image else _of_this_repository()
    except NoBom as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, bom in boms.items():
        path = FOLDER / f"{name}.cdx.json"
        path.write_text(json.dumps(bom, indent=1) + "\n")
        print(f"{path.relative_to(ROOT)}: {len(bom['components'])} components")
    return 0


def _of_this_repository() -> dict[str, dict[str, Any]]:
    here = _answer([sys.executable, str(INSIDE)])
    licences = {(each["name"].lower(), each["version"]): each["licence"] for each in here["packages"]}
    base = lock.base_image()
    # This machine's system is not this project's business.
    boms = {
        "laptop": document("laptop", [*_installed({**here, "system": {}, "debian": []}), *npm_packages()])
    }
    for name, files in pins.SETS.items():
        if name != "laptop":
            found = [pin for path in files for pin in pins.read(path) if fits(pin, base)]
            packages = [
                python(pin.name, pin.version, licences.get((pin.name, pin.version), "")) for pin in found
            ]
            boms[name] = document(name, [_base(base), *packages])
    return boms


def of_image(name: str) -> dict[str, Any]:
    """What is in a built image, by its own Python. Raises NoBom where no engine has it."""
    engine = shlex.split(os.environ.get("ENGINE", "")) or [
        shutil.which("docker") or shutil.which("podman") or ""
    ]
    if not engine[0]:
        raise NoBom("neither docker nor podman is on the PATH; ENGINE=... names another one")
    # Small limits, for an engine cannot raise those that it has itself.
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
    confined = ["--rm", "--network", "none", "--read-only", *limits, "--entrypoint", "python"]
    return document(name, _installed(_answer([*engine, "run", *confined, name, "-c", INSIDE.read_text()])))


def document(name: str, components: Iterable[Component]) -> dict[str, Any]:
    """A bill of materials, without a date or a serial number: the same things give the same text."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": name, "bom-ref": "subject"}},
        "components": sorted(components, key=lambda each: str(each["bom-ref"])),
    }


def python(name: str, version: str, licence: str) -> Component:
    """A package of PyPI."""
    purl = f"pkg:pypi/{quote(name.lower().replace('_', '-'))}@{quote(version)}"
    return _component("library", name, version, purl) | (
        {"licenses": [{"license": {"name": licence}}]} if licence else {}
    )


def npm_packages() -> list[Component]:
    """The CDK CLI, and what pages are tested with, as their lock file has it."""
    packages = json.loads((lock.CDK / "package-lock.json").read_text())["packages"]
    return [_npm(path.rpartition("node_modules/")[2], each) for path, each in packages.items() if path]


def _npm(name: str, locked: Mapping[str, str]) -> Component:
    algorithm, _, digest = locked["integrity"].partition("-")
    content = base64.b64decode(digest).hex()
    scope, _, short = name.rpartition("/")
    purl = f"pkg:npm/{quote(scope, safe='') + '/' if scope else ''}{short}@{locked['version']}"
    hashes = [{"alg": f"SHA-{algorithm.removeprefix('sha')}", "content": content}]
    return {**_component("application", name, locked["version"], purl), "hashes": hashes}


def _installed(inside: Mapping[str, Any]) -> list[Component]:
    system = inside["system"]
    distribution = f"{system.get('ID', 'linux')}-{system.get('VERSION_ID', '')}"
    interpreter = _component("platform", "python", inside["python"], f"pkg:generic/python@{inside['python']}")
    cpe = f"cpe:2.3:a:python:python:{inside['python']}:*:*:*:*:*:*:*"
    return [
        {**interpreter, "cpe": cpe},
        *([_component("operating-system", system["ID"], system.get("VERSION_ID", ""), "")] if system else []),
        *(python(each["name"], each["version"], each["licence"]) for each in inside["packages"]),
        *(_debian(each, system.get("ID", "debian"), distribution) for each in inside["debian"]),
    ]


def _debian(package: Mapping[str, str], vendor: str, distribution: str) -> Component:
    # "glibc" or "glibc (2.36-9)": advisories speak of the source package.
    source = "".join(package["Source"].replace("(", "@").replace(")", "").split())
    details = f"arch={package['Architecture']}&distro={distribution}" + (
        f"&upstream={quote(source)}" if source else ""
    )
    purl = f"pkg:deb/{vendor}/{package['Package']}@{quote(package['Version'])}?{details}"
    return _component("library", package["Package"], package["Version"], purl)


def _base(image: registry.Reference) -> Component:
    name = image.repository.rpartition("/")[2]
    where = f"repository_url={quote(f'{image.registry}/{image.repository}', safe='')}&tag={image.tag}"
    return _component("container", name, image.tag, f"pkg:oci/{name}@{quote(image.digest)}?{where}")


def _component(kind: str, name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": kind, "bom-ref": purl or f"{kind}/{name}", "name": name, "version": version} | (
        {"purl": purl} if purl else {}
    )


def fits(pin: Pin, base: registry.Reference) -> bool:
    """Whether an image installs it: Linux, and the Python that its base is tagged with."""
    version = base.tag.partition("-")[0]
    image = {"sys_platform": "linux", "platform_system": "Linux", "python_version": version}
    return not pin.marker or Marker(pin.marker).evaluate({**image, "python_full_version": f"{version}.0"})


def _answer(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoBom(f"`{' '.join(command[:2])}` failed: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _file_name(image: str) -> str:
    return "image-" + "".join(each if each.isalnum() or each in ".-" else "-" for each in image)


if __name__ == "__main__":
    sys.exit(main())
