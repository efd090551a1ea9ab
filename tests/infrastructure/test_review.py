"""What template checkers say: cdk-nag's packs AwsSolutions, NIST 800-53 R5 and Serverless, and cfn-lint."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.infrastructure.accepted_findings import ACCEPTED, reason
from tests.infrastructure.conftest import ROOMS, Synthesised


def test_cdk_nag_finds_nothing_that_has_no_reason(sample: Synthesised) -> None:
    assert sample.findings == []


def test_cdk_nag_finds_nothing_in_the_flavours_either(flavour: Synthesised) -> None:
    assert flavour.findings == []


def test_what_nist_and_serverless_find_has_a_row_that_says_why(
    minimal: Synthesised, comprehensive: Synthesised, serverless: Synthesised, sleeper: Synthesised
) -> None:
    samples = (minimal, comprehensive, serverless, sleeper)
    found = [(each["rule"], each["path"]) for sample in samples for each in sample.others]
    assert [each for each in found if not reason(*each)] == []
    assert {rule for rule, _ in found} == {*ACCEPTED}, "a row that nothing needs any more"


def test_cfn_lint_is_clean(sample: Synthesised) -> None:
    _lint([_template(sample, room) for room in ROOMS])


def test_cfn_lint_is_clean_for_the_endpoint_of_each_flavour(
    serverless: Synthesised, sleeper: Synthesised
) -> None:
    _lint([_template(flavour, "serving") for flavour in (serverless, sleeper)])


def _template(sample: Synthesised, room: str) -> str:
    return str(sample.folder / f"{sample.project}-{room}.template.json")


def _lint(templates: Sequence[str]) -> None:
    result = subprocess.run(
        # W3005: CDK writes the dependency of a function on its role a second time; harmless and not ours.
        [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--", *templates],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (result.returncode, result.stdout) == (0, "")
