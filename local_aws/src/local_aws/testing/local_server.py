"""A local AWS of a test's own: a real process with a state folder and a free port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

from local_aws.core.proxies import DIRECT

# Where the package lies that runs here, so that the server is of the same code.
_SOURCE = Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "000000000000", "us-east-1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class LocalServer:
    """`python -m local_aws`, started, killed and started again."""

    state: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def root_key(self) -> dict[str, str]:
        """The installation's own key, as an AssumeRole answer spells one."""
        key: dict[str, str] = json.loads((self.state / "root-credentials.json").read_text())
        return key

    @property
    def keys(self) -> dict[str, str]:
        """The same as a client process wants it."""
        key = self.root_key
        names = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        return {**names, "AWS_DEFAULT_REGION": REGION}

    @property
    def environment(self) -> dict[str, str]:
        """What a client process needs to talk to this server and to nothing else."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return {**inherited, **self.keys, "AWS_ENDPOINT_URL": self.url, "AWS_ENDPOINT_URL_S3": self.url}

    def command(self) -> list[str]:
        """The command line that starts it."""
        return [sys.executable, "-m", "local_aws", "--port", str(self.port), "--state", str(self.state)]

    def server_environment(self) -> dict[str, str]:
        """What the server is started in."""
        path = [str(_SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process and return at once."""
        self.state.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.server_environment(), stdout=log, stderr=log
            )
        return self.process

    def start(self) -> LocalServer:
        """Start, and return when it is ready."""
        process = self.launch()
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise AssertionError(f"the server ended with {process.returncode}:\n{self.log()}")
            try:
                DIRECT.open(f"{self.url}/_ministack/health", timeout=5).close()
                return self
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"the server was never ready:\n{self.log()}")

    @property
    def started(self) -> subprocess.Popen[bytes]:
        """The process. Raises RuntimeError before `launch`."""
        if self.process is None:
            raise RuntimeError("the server was never started")
        return self.process

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.started.kill()
        self.started.wait()

    def stop(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        self.started.send_signal(signal.SIGTERM)
        return self.started.wait(timeout=150)

    def end(self) -> None:
        """Whatever its state, it is gone afterwards."""
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def children(self) -> list[psutil.Process]:
        """The processes it started that live now."""
        return psutil.Process(self.started.pid).children(recursive=True)

    @property
    def log_file(self) -> Path:
        return self.state.with_suffix(".log")

    def log(self) -> str:
        return self.log_file.read_text()

    def client(self, service: str, credentials: dict[str, str] | None = None) -> Any:
        """A boto3 client as root, or with the `Credentials` of an AssumeRole answer."""
        keys = credentials or self.root_key
        return boto3.session.Session().client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
                max_pool_connections=40,
                proxies={},
            ),
        )
