"""What template checkers say: cdk-nag's AwsSolutions pack and cfn-lint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.infrastructure.conftest import ROOMS, Synthesised


def test_cdk_nag_finds_nothing_that_has_no_reason(sample: Synthesised) -> None:
    assert sample.findings == []


def test_cfn_lint_is_clean(sample: Synthesised) -> None:
    templates = [str(sample.folder / f"{sample.project}-{room}.template.json") for room in ROOMS]
    result = subprocess.run(
        # W3005: CDK writes the dependency of a function on its role a second time; harmless and not ours.
        [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--", *templates],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (result.returncode, result.stdout) == (0, "")
