"""Programs for arm64 on another processor: Linux hands them to QEMU, inside containers too."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# https://docs.kernel.org/admin-guide/binfmt-misc.html
KERNEL = Path("/proc/sys/fs/binfmt_misc")
NAME = "qemu-aarch64"
# Debian's qemu-user-static brings it, with flag F: the kernel opens QEMU now, so that no container needs it.
RULE = Path("/usr/lib/binfmt.d") / f"{NAME}.conf"


def missing() -> str:
    """Why no program for arm64 can run here; empty if it can."""
    if _run_already():
        return ""
    if not RULE.exists():
        return "qemu-user-static missing: apt-get install qemu-user-static"
    if "binfmt_misc" not in Path("/proc/filesystems").read_text().split():
        return "this kernel has no binfmt_misc"
    return ""


@contextmanager
def of_arm64() -> Iterator[None]:
    """While this lasts, programs for arm64 run here; what was set up before stays."""
    if _run_already():
        yield
        return
    mounted = (KERNEL / "register").exists()
    if not mounted:
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(KERNEL)], check=True)
    (KERNEL / "register").write_text(RULE.read_text().strip())
    try:
        yield
    finally:
        (KERNEL / NAME).write_text("-1")
        if not mounted:
            subprocess.run(["umount", str(KERNEL)], check=True)


def _run_already() -> bool:
    return platform.machine() == "aarch64" or (KERNEL / NAME).exists()
