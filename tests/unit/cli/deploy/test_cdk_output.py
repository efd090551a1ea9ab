"""The CDK CLI's lines become progress and, when it fails, the reason."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cli.deploy.cdk_output import Deployment

DEPLOY = """\

✨  Synthesis time: 4.9s

classifier-storage: start: Publishing abc:current_account-current_region
classifier-storage: success: Published abc:current_account-current_region
classifier-storage: deploying... [1/5]
classifier-storage: creating CloudFormation changeset...
classifier-storage | 0/4 | 1:02:03 PM | CREATE_IN_PROGRESS | AWS::CloudFormation::Stack | classifier-storage
classifier-storage |  1/4 | 1:02:04 PM | CREATE_COMPLETE      | AWS::S3::Bucket | Data (Data123)

 ✅  classifier-storage

✨  Deployment time: 5.04s
"""
FAILURE = """\
classifier-api: deploying... [2/5]
classifier-api | 1/9 | 1:02:04 PM | CREATE_FAILED | AWS::Lambda::Function | Classify (C1) Role may not do it
classifier-api | 1/9 | 1:02:04 PM | CREATE_FAILED | AWS::SQS::Queue | Queue (Q1) Resource creation cancelled
 ❌  classifier-api failed: ToolkitError: The stack named classifier-api failed creation
"""


def read(text: str, command: str = "deploy") -> Deployment:
    deployment = Deployment(command)
    for line in text.splitlines():
        deployment.read(line)
    return deployment


def test_a_stack_goes_from_working_to_done_with_its_resources_counted() -> None:
    half = read(DEPLOY[: DEPLOY.index(" ✅")])
    assert (half.stacks["classifier-storage"].state, half.phase) == ("working", "deploying")
    assert (half.stacks["classifier-storage"].done, half.stacks["classifier-storage"].total) == (1, 4)
    assert half.stacks["classifier-storage"].note == "AWS::S3::Bucket Data"
    assert {name: stack.state for name, stack in read(DEPLOY).stacks.items()} == {
        "classifier-storage": "done"
    }


def test_an_unchanged_and_a_deleted_stack_are_told_apart() -> None:
    assert read(" ✅  classifier-api (no changes)").stacks["classifier-api"].state == "unchanged"
    deleted = read("classifier-api: destroying... [1/5]\n ✅  classifier-api: destroyed", "destroy")
    assert deleted.stacks["classifier-api"].state == "deleted"


def test_the_reason_is_the_resource_that_failed_and_not_those_cancelled_with_it() -> None:
    deployment = read(FAILURE)
    assert deployment.stacks["classifier-api"].state == "failed"
    assert "Role may not do it" in deployment.reason()
    assert "cancelled" not in deployment.reason()


def test_an_app_that_does_not_synthesise_shows_its_error() -> None:
    trace = (
        "Traceback (most recent call last):\n  File x\nstacks.settings.BadSetting: project 'X' is no name\n"
    )
    assert "BadSetting: project 'X' is no name" in read(trace + "Subprocess exited with error 1").reason()


def test_bootstrapping_ends_with_its_stack_done() -> None:
    begun = "CDKToolkit |  9/15 | 1:09:37 PM | CREATE_COMPLETE | AWS::IAM::Role | FilePublishingRole\n"
    assert read(begun, "bootstrap").stacks["CDKToolkit"].state == "working"
    ended = read(begun + "✅  Environment aws://1/us-1 bootstrapped.", "bootstrap")
    assert {name: stack.state for name, stack in ended.stacks.items()} == {"CDKToolkit": "done"}


@given(st.text(max_size=100))
def test_no_line_breaks_the_reader(line: str) -> None:
    deployment = Deployment("deploy")
    deployment.read(line)
    deployment.read(f" ❌  {line}")
    deployment.reason()
