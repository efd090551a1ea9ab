"""Running the real CDK CLI: installed into `.local`, with its own cache, its output read line by line.

`deploy` is what `up` does on either target: make sure the CLI is there, bootstrap once, mend what an
interrupted run left, deploy every stack. The full output goes to `.local/cdk.log`; who calls gets a
`Deployment` to show.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cli.deploy.cdk_output import Deployment
from cli.deploy.regularly import regularly
from cli.errors import CdkFailed
from cli.files import alone, open_private, private_folder
from cli.interrupt import held_back, uninterrupted
from cli.node import node_bin, npm
from cli.stacks import mend, status_of
from cli.target import Target

BOOTSTRAP_STACK = "CDKToolkit"
_LOCKED = Path("tools", "cdk")  # what `make lock` wrote down for the CDK CLI, as the installer takes it
# Five minutes in which nothing can be deployed again are well spent on AWS, and only in the way here; and
# what takes long on a machine that does other work besides is not the model.
LOCAL_DEFAULTS = {"serving": {"bake_seconds": 10, "alarm_latency_ms": 10000}}
# What is here is on one disk, for trying things out: nobody misses it, and `make clean` would not ask either.
LOCAL_OVERRIDES = {"on_destroy": "delete"}
_UNATTENDED = ("--require-approval", "never", "--concurrency", "4", "--asset-parallelism")
OnChange = Callable[[Deployment], None]
Beside = Callable[[Deployment], str]
_LOOK_SECONDS = 5.0


def deploy(target: Target, on_change: OnChange, turn: int, stacks: tuple[str, ...] = ()) -> Deployment:
    """Deploys every stack, or the named ones and those they need; returns what was done.

    Args:
        turn: the descriptor of the lock under which this runs. The CDK CLI inherits it: should this process
            be killed, the lock lasts until the CDK CLI has ended as well.

    Raises:
        CdkFailed: with the reason CloudFormation or the app gave and the last lines of the log.
    """
    open_private(log_path(target), "w").close()
    install_cli(target)
    if status_of(target, BOOTSTRAP_STACK) is None:
        # Without an app, which would be synthesised here only to be asked for the places it goes to.
        _run(target, ["bootstrap", f"aws://{target.account()}/{target.region}", "--app", ""], on_change, turn)
    mend(target, lambda what: on_change(Deployment(command="wait", phase=what)))
    arguments = ["deploy", *(stacks or ("--all",)), *_UNATTENDED]
    # Spares the CLI's five seconds of waiting for each change set; on AWS it is worth them.
    arguments += ["--method", "direct"] if target.is_local else []
    return _run(target, [*arguments, "--progress", "events"], on_change, turn)


def destroy(target: Target, on_change: OnChange, turn: int, beside: Beside) -> Deployment:
    """Deletes every stack.

    Args:
        turn: as in `deploy`.
        beside: asked every few seconds what there is to say beside the CLI's own lines, which are few here.
    """
    open_private(log_path(target), "w").close()
    install_cli(target)
    mend(target, lambda what: on_change(Deployment(command="wait", phase=what)))
    return _run(target, ["destroy", "--all", "--force"], on_change, turn, beside)


def install_cli(target: Target) -> Path:
    """The pinned CDK CLI's program, installed with the Node from PyPI if it is not there."""
    folder = target.root / ".local" / "cdk"
    if not _is_installed(target, folder):
        with alone(private_folder(folder.parent) / "cdk.turn"):
            if not _is_installed(target, folder):
                _install_cli(target, folder)
    return folder / "node_modules" / "aws-cdk" / "bin" / "cdk"


def _is_installed(target: Target, folder: Path) -> bool:
    try:
        wanted = json.loads((target.root / _LOCKED / "package.json").read_text())["dependencies"]["aws-cdk"]
        found = json.loads((folder / "node_modules" / "aws-cdk" / "package.json").read_text())["version"]
        return bool(wanted == found)
    except (OSError, ValueError, KeyError):
        return False


def _install_cli(target: Target, folder: Path) -> None:
    """Beside its place and then moved there whole: what a kill leaves is not taken for the CLI."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="cdk-") as scratch:
        part = Path(scratch) / "cdk"
        shutil.copytree(target.root / _LOCKED, part)
        done = npm(part, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        if done.returncode != 0:
            raise CdkFailed(f"npm could not install the CDK CLI: {done.stderr.strip()[-600:]}")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)


def context_arguments(target: Target) -> list[str]:
    """Where the app finds its settings, beside cdk.json."""
    arguments = []
    defaults: dict[str, Any] = LOCAL_DEFAULTS if target.is_local else {}
    overrides: dict[str, Any] = LOCAL_OVERRIDES if target.is_local else {}
    if target.choice.name:
        overrides = {**overrides, "project": target.project}
    for key, values in (("defaults", defaults), ("overrides", overrides)):
        if values:
            arguments += ["--context", f"{key}={json.dumps(values)}"]
    # Settings from another file than cdk.json.
    if config := target.choice.config or os.environ.get("CLASSIFIER_CONFIG"):
        arguments += ["--context", f"config={config}"]
    return arguments


def log_path(target: Target) -> Path:
    return target.home / "cdk.log"


def _run(
    target: Target, arguments: list[str], on_change: OnChange, turn: int, beside: Beside = lambda _: ""
) -> Deployment:
    program = [str(node_bin() / "node"), str(install_cli(target)), *arguments]
    program += ["--output", str(target.home / f"cdk.out.{target.kind}"), "--no-color", "--ci"]
    program += context_arguments(target)
    deployment = Deployment(command=arguments[0])
    on_change(deployment)

    def look() -> None:
        try:
            deployment.beside = beside(deployment)
        except Exception:  # what is only told must not disturb what is done
            deployment.beside = ""
        if process.poll() is None:
            with suppress(BrokenPipeError):  # the CLI's next line ends the command
                on_change(deployment)

    with (
        open_private(log_path(target), "a") as log,
        _process(target, program, turn) as process,
        regularly(_LOOK_SECONDS, look),
    ):
        for line in process.stdout or ():
            log.write(line)
            log.flush()
            if deployment.read(line.rstrip("\n")):
                on_change(deployment)
        code = process.wait()
    deployment.finish()
    on_change(deployment)
    if code != 0:
        raise CdkFailed(
            f"`cdk {arguments[0]}` failed: {deployment.reason()}\nThe whole story is in {log_path(target)}."
        )
    return deployment


@contextmanager
def _process(target: Target, command: list[str], turn: int) -> Iterator[subprocess.Popen[str]]:
    """The CDK CLI in a process group of its own, which never outlives the block (Ctrl-C included)."""
    process: subprocess.Popen[str] | None = None
    try:
        with held_back():
            process = subprocess.Popen(
                command,
                cwd=target.root,
                env=target.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
                pass_fds=(turn,),
            )
        yield process
    finally:
        if process is not None and process.poll() is None:
            with uninterrupted():
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        else:
            return
