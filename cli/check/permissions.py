"""Whether the caller may do what deploying and running asks of him, as IAM's simulation answers.

After the bootstrap the CDK works as roles of its own, so the caller needs little more than to assume them.
The simulation knows the caller's policies, his boundary and the organisation's; what a resource's own policy
adds it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from cli.check.bootstrap import assets_bucket
from cli.check.identity import Identity
from cli.check.line import Code, Line, Status
from cli.check.look import Look
from cli.deploy.cdk import BOOTSTRAP_STACK
from cli.stacks import status_of

_LAUNCHERS: Final = {
    "launch-tuning": "tuning",
    "launch-training": "training without a search",
    "launch-doctor": "looking at a data set",
    "launch-batch": "answering many pictures",
}
"""The functions that the commands invoke, and what for."""


@dataclass(frozen=True)
class Need:
    """Actions on one resource, and what for."""

    what: str
    resource: str
    actions: tuple[str, ...]
    now: bool = True
    """Whether deploying needs them; the rest is for what comes after it."""


def needs(look: Look) -> list[Need]:
    """What the caller himself has to be allowed."""
    who, project = look.who, look.wanted.project
    arn, here = f"arn:{who.partition}", f"{who.region}:{who.account}"
    role = f"{arn}:iam::{who.account}:role/cdk-hnb659fds-deploy-role-{who.account}-{who.region}"
    deploying = partial(_need, "deploying", arn)
    storage, training_job = f"stack/{project}-storage/0", f"training-job/{project}-run"
    found = [
        Need("deploying", role, ("sts:AssumeRole",)),
        deploying(f"cloudformation:{here}:{storage}", "DescribeStacks", "DescribeStackEvents"),
        # What `up` reads itself: the endpoint and the champion before, the API's key after it.
        deploying(f"sagemaker:{here}:endpoint/{project}", "DescribeEndpoint"),
        deploying(f"ssm:{here}:parameter/{project}/champion", "GetParameterHistory"),
        deploying(f"apigateway:{who.region}::/apikeys/0", "GET"),
        *_changing(arn, here, project),
        *(
            _need(what, arn, f"lambda:{here}:function:{project}-{name}", "InvokeFunction", now=False)
            for name, what in _LAUNCHERS.items()
        ),
        _need("following a run", arn, f"sagemaker:{here}:{training_job}", "DescribeTrainingJob", now=False),
    ]
    if status_of(look.target, BOOTSTRAP_STACK) is None:
        found += _bootstrap(look.who, arn, here, role)
    return found


def _need(what: str, arn: str, resource: str, *actions: str, now: bool = True) -> Need:
    """Actions of the service that the resource, without `arn` before it, is of."""
    service = resource.partition(":")[0]
    return Need(what, f"{arn}:{resource}", tuple(f"{service}:{each}" for each in actions), now)


def _changing(arn: str, here: str, project: str) -> list[Need]:
    """What `up` does past the CDK when it changes an endpoint that serves (cli/deploy/live)."""
    later = partial(_need, "changing an endpoint that serves", arn, now=False)
    package = ("CreateModelPackage", "DescribeModelPackage", "UpdateModelPackage")
    scaling = ("DescribeScalableTargets", "RegisterScalableTarget")
    return [
        later(f"cloudformation:{here}:stack/{project}-serving/0", "GetTemplate", "UpdateStack"),
        later(f"sagemaker:{here}:endpoint/{project}", "UpdateEndpointWeightsAndCapacities"),
        later(f"sagemaker:{here}:endpoint-config/0", "DescribeEndpointConfig"),
        # UpdateStack reads the stack's parameters in the caller's name.
        later(
            f"ssm:{here}:parameter/{project}/instance-type", "GetParameter", "GetParameters", "PutParameter"
        ),
        later(f"sagemaker:{here}:model-package/{project}/0", *package),
        later(f"application-autoscaling:{here}:scalable-target/0", *scaling),
    ]


def _bootstrap(who: Identity, arn: str, here: str, role: str) -> list[Need]:
    """Of what the bootstrap stack's template makes, one of each kind."""
    stack = f"{arn}:cloudformation:{here}:stack/{BOOTSTRAP_STACK}/0"
    of_stack = ("cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet")
    bucket = f"{arn}:s3:::{assets_bucket(who)}"
    images = f"{arn}:ecr:{here}:repository/cdk-hnb659fds-container-assets-{who.account}-{who.region}"
    return [
        Need("bootstrapping", stack, of_stack),
        Need("bootstrapping", role, ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy")),
        Need("bootstrapping", bucket, ("s3:CreateBucket",)),
        Need("bootstrapping", images, ("ecr:CreateRepository",)),
    ]


def check(look: Look) -> Iterator[Line]:
    source = _policy_source(look)
    if source is None:
        yield Line(Code.PERMISSIONS, Status.OK, "the root user may do everything")
        return
    wanted, denied = needs(look), list[tuple[Need, list[str]]]()
    for need in wanted:
        refused = _refused(look, source, need)
        if refused:
            denied.append((need, refused))
    for need, actions in denied:
        yield Line(
            Code.PERMISSIONS,
            Status.WRONG if need.now else Status.LATER,
            f"{need.what}: {source.rpartition('/')[2]} may not {', '.join(actions)}",
            f"on {need.resource}",
            f"{look.who.console}/iam/home#/home: allow it in a policy of {source}",
        )
    if not denied:
        count = sum(len(need.actions) for need in wanted)
        yield Line(Code.PERMISSIONS, Status.OK, f"{count} actions of {source.rpartition('/')[2]} are allowed")


def _refused(look: Look, source: str, need: Need) -> list[str]:
    answer = look.target.client("iam").simulate_principal_policy(
        PolicySourceArn=source, ActionNames=list(need.actions), ResourceArns=[need.resource]
    )
    return [
        each["EvalActionName"] for each in answer["EvaluationResults"] if each["EvalDecision"] != "allowed"
    ]


def _policy_source(look: Look) -> str | None:
    """The user or role whose policies count; None for the root user.

    A session's ARN names its role without its path, which IAM knows.
    """
    arn = look.who.arn
    resource = arn.split(":", 5)[5]
    if resource == "root":
        return None
    if resource.startswith("assumed-role/"):
        answer = look.target.client("iam").get_role(RoleName=resource.split("/")[1])
        return str(answer["Role"]["Arn"])
    return arn
