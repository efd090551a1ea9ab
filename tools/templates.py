"""What checkov says of the templates of every sample: `make audit-templates`.

checkov.yaml beside this file says what is not followed, and why. Its hundred packages are installed into an
environment of their own, at the first run. cfn-lint and cdk-nag need none and are among the tests.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools import audit, pins
from tools.pins import ROOT

ENVIRONMENT: Final = ROOT / ".local" / "checkov"
CONFIGURATION: Final = ROOT / "tools" / "checkov.yaml"


def main() -> int:
    """Synthesise, check; 1 for a finding without a reason, or where nothing could be checked."""
    if not audit.install(ENVIRONMENT, pins.CHECKOV):
        return 1
    with tempfile.TemporaryDirectory() as made:
        for sample in sorted((ROOT / "stacks" / "samples").glob("*.json")):
            options = ["--context", f"config={sample.stem}", "--templates", str(Path(made) / sample.stem)]
            subprocess.run([sys.executable, "check.py", *options], cwd=ROOT, check=True)
        command = [str(ENVIRONMENT / "bin" / "checkov"), "--config-file", str(CONFIGURATION), "-d", made]
        return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
