"""What `classifier check` knows of a deployment is what would be deployed."""

from __future__ import annotations

from pathlib import Path

from cli.check.wanted import read
from cli.target import Target
from tests.infrastructure.conftest import ROOT


def test_what_would_be_deployed_is_read_from_the_templates(tmp_path: Path) -> None:
    checkout = Target(kind="local", project="classifier", root=ROOT, home=tmp_path, port=1)
    wants = read(checkout, ("digits",))
    assert [(each.name, each.asked_for) for each in wants.launches] == [("digits", True)]
    assert set(wants.templates.stacks) == set(checkout.stack_names)
    assert wants.templates.bootstrap_version >= 6
    assert wants.templates.bootstrap_parameter.startswith("/cdk-bootstrap/")
    assert wants.templates.compute_types == {"BUILD_GENERAL1_SMALL"}
    assert 1 <= wants.templates.builds_together <= 2
