"""`up`, on either target: the local AWS if that is the target, then every stack by the real CDK CLI."""

from __future__ import annotations

from typing import Any

from cli import cdk, local_code, local_server
from cli.cdk_output import Deployment
from cli.console import console, say
from cli.errors import CliError, bucket_gone
from cli.interrupt import Interrupted, uninterrupted
from cli.outputs import read, save
from cli.render_deployment import DeploymentView
from cli.target import Target


def bring_up(target: Target) -> dict[str, Any]:
    """Starts the local AWS (for local), deploys, and saves the addresses; returns them.

    On Ctrl-C a local AWS started here is stopped again: nobody asked to keep half a deployment running.
    """
    started = False
    try:
        if target.is_local:
            started = start_local_aws(target)
        with DeploymentView(target) as view:
            cdk.deploy(target, view.show)
        found = save(target, read(target))
        check_buckets(target, found)
        return found
    except KeyboardInterrupt:
        with uninterrupted():
            if started:
                local_server.stop(target)
        raise Interrupted(_what_stays(target, started)) from None


def start_local_aws(target: Target) -> bool:
    with console().status("Starting the local AWS"):
        started = local_server.start(target)
        outdated = local_server.outdated(target)
        working = local_code.work(target) if outdated else []
        if outdated and not working:
            local_server.stop(target)
            local_server.start(target)
    word = "already up"
    if started:
        word = "started"
    elif outdated and not working:
        word = "restarted with this checkout's code"
    say(f"The local AWS is {word} at {target.endpoint_url} (log: {local_server.log_path(target)}).")
    if working:
        say(
            f"It runs other code than this checkout's: it works on {', '.join(working)}, which a restart "
            "would break off. Run `classifier up` again when that has ended."
        )
    return started


def check_buckets(target: Target, found: dict[str, Any]) -> None:
    """CloudFormation takes a bucket that somebody deleted for there: nothing else says it before it is used.

    Raises:
        CliError: one is gone.
    """
    from botocore.exceptions import ClientError

    for name in (found["data_bucket"], found["artifacts_bucket"]):
        try:
            target.client("s3").head_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                raise CliError(bucket_gone(name, target)) from None


def _what_stays(target: Target, stopped: bool) -> str:
    if not target.is_local:
        return (
            "Stopped. AWS may still be working on the last stack; run `classifier up --target aws` to go on."
        )
    if stopped:
        return "Stopped. The local AWS is down again, nothing is running; run the same command to go on."
    return "Stopped. The local AWS keeps running; run the same command to go on, or `make down` to stop it."


def tear_down_stacks(target: Target) -> Deployment:
    """`cdk destroy` of every stack, shown as it goes."""
    with DeploymentView(target) as view:
        return cdk.destroy(target, view.show)
