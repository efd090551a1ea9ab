"""`up`, on either target: the local AWS if that is the target, then every stack by the real CDK CLI."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from cli import server_lock
from cli.console import console, say
from cli.deploy import cdk, live
from cli.deploy.cdk_output import Deployment
from cli.deploy.view import showing
from cli.errors import CliError, NotConfirmed, WouldFail
from cli.explain import bucket_gone
from cli.files import alone, nothing, private_folder
from cli.interrupt import Interrupted, uninterrupted
from cli.local import code as local_code
from cli.local import server as local_server
from cli.outputs import read, save
from cli.stacks import turn_of
from cli.target import Target


def bring_up(
    target: Target, check: Callable[[], None] = nothing, agree: Callable[[live.Change], None] = lambda _: None
) -> dict[str, Any]:
    """Starts the local AWS (for local), deploys, and saves the addresses; returns them.

    Args:
        check: called before anything is deployed, when the target can be asked; may raise WouldFail.
        agree: called with what will be done to an endpoint that serves, if that takes more than a deployment;
            raises NotConfirmed if the user does not want it.

    On Ctrl-C a local AWS started here is stopped again: nobody asked to keep half a deployment running.
    Of two at once the second waits, before it starts anything that the first would stop on its Ctrl-C.
    """
    with _turn(target) as turn:
        return _bring_up(target, turn, check, agree)


def _bring_up(
    target: Target, turn: int, check: Callable[[], None], agree: Callable[[live.Change], None]
) -> dict[str, Any]:
    was_up = _is_up(target)
    try:
        if target.is_local:
            start_local_aws(target)
        check()
        change = live.look(target)
        if not change.is_plain:
            say("\n".join(change.lines))
            agree(change)
        _deploy(target, turn, change)
        found = save(target, read(target))
        check_buckets(target, found)
        return found
    except (KeyboardInterrupt, WouldFail, NotConfirmed) as why:
        with uninterrupted():
            if target.is_local and not was_up:
                local_server.stop(target)
        if not isinstance(why, KeyboardInterrupt):
            raise
        raise Interrupted(_what_stays(target)) from None


def _deploy(target: Target, turn: int, change: live.Change) -> None:
    with showing() as show:
        live.carry_out(
            target,
            change,
            lambda stacks: cdk.deploy(target, show, turn, stacks),
            lambda what: show(Deployment(command="wait", phase=what)),
        )


def _is_up(target: Target) -> bool:
    return target.is_local and server_lock.holder(target.home) is not None


def start_local_aws(target: Target) -> bool:
    with console().status("Starting the local AWS"):
        started = local_server.start(target)
        outdated = local_server.outdated(target)
        working = local_code.work(target) if outdated else []
        if outdated and not working:
            local_server.restart(target)
    word = "already up"
    if started:
        word = "started"
    elif outdated and not working:
        word = "restarted with this checkout's code"
    say(f"The local AWS is {word} at {target.endpoint_url} (log: {local_server.log_path(target)}).")
    if working:
        say(
            f"It runs other code than this checkout's: it works on {', '.join(working)}, which a restart "
            f"would break off. Run `{target.command('up')}` again when that has ended."
        )
    return started


def check_buckets(target: Target, found: dict[str, Any]) -> None:
    """Raises CliError for a bucket that is gone: CloudFormation takes one that somebody deleted for there."""
    from botocore.exceptions import ClientError

    for name in (found["data_bucket"], found["artifacts_bucket"]):
        try:
            target.client("s3").head_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                raise CliError(bucket_gone(name, target)) from None


def _what_stays(target: Target) -> str:
    if not target.is_local:
        return f"Stopped. AWS may still be working on the last stack; run `{target.command('up')}` to go on."
    if _is_up(target):
        return (
            "Stopped. The local AWS keeps running; run the same command to go on, or `make down` to stop it."
        )
    return "Stopped. The local AWS is down again, nothing is running; run the same command to go on."


def tear_down_stacks(target: Target, beside: cdk.Beside) -> Deployment:
    """`cdk destroy` of every stack, shown as it goes; `beside` as there."""
    with _turn(target) as turn, showing() as show:
        return cdk.destroy(target, show, turn, beside)


def _turn(target: Target) -> AbstractContextManager[int]:
    """Nobody else deploys or destroys from this checkout meanwhile; yields what the CDK CLI inherits."""
    private_folder(target.home)
    return alone(
        turn_of(target),
        lambda: say("Another command is deploying or destroying from this checkout: waiting for it."),
    )
