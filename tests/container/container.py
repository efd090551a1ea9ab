"""One container under podman, as locked in as SageMaker may run it and more: no root, no right to gain any,
and nothing to write to.
"""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

# crun, podman's default, fails on machines with both generations of cgroups.
RUNTIME = ["podman", "--runtime", "runc"]


@dataclass
class Container:
    """The serving image under a name of its own, listening on `port` of this machine."""

    image: str
    port: int
    patience: float = 120
    """Seconds until it must have said what `wait` waits for, and answered a request."""
    environment: dict[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"classifier-test-{uuid.uuid4().hex[:8]}")

    def start(self, model: Path) -> float:
        """Run it with `model` where SageMaker unpacks model.tar.gz; answers the time.monotonic() of that."""
        began = time.monotonic()
        confined = "--read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges"
        limits = "--ulimit nofile=1024:1024 --ulimit nproc=1000:1000"
        listening = f"--network host --env SAGEMAKER_BIND_TO_PORT={self.port} --env SERVE_HOST=127.0.0.1"
        options = [*confined.split(), *limits.split(), *listening.split()]
        options += [f"--env={name}={value}" for name, value in self.environment.items()]
        volume = ["--volume", f"{model}:/opt/ml/model:ro"]
        command = [*RUNTIME, "run", "--detach", "--name", self.name, *options, *volume, self.image, "serve"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return began

    def ping(self) -> tuple[int, dict[str, Any]]:
        """Status and document of /ping; status 0 while nobody listens."""
        try:
            return self.ask("GET", "/ping")
        except (OSError, HTTPException):
            return 0, {}

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
        try:
            connection.request(
                method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def classify(self, picture: bytes) -> tuple[int, dict[str, Any]]:
        return self.ask("POST", "/invocations", picture, Content_Type="image/jpeg")

    def wait(self, state: str) -> list[int]:
        """Until /ping tells of `state`; all statuses it had on the way there."""
        deadline, seen = time.monotonic() + self.patience, []
        while time.monotonic() < deadline:
            status, document = self.ping()
            seen.append(status)
            if document.get("status") == state:
                return seen
            time.sleep(0.02)
        raise AssertionError(f"/ping never said {state}: {self.log()}")

    def inside(self, *command: str) -> str:
        """What a command prints in the running container."""
        run = [*RUNTIME, "exec", self.name, *command]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout

    def log(self) -> str:
        done = subprocess.run(["podman", "logs", self.name], capture_output=True, text=True)
        return done.stdout + done.stderr

    def signal(self, name: str) -> None:
        subprocess.run([*RUNTIME, "kill", "--signal", name, self.name], check=True, stdout=subprocess.DEVNULL)

    def exit_code(self) -> int:
        """Wait for its end."""
        done = subprocess.run(["podman", "wait", self.name], capture_output=True, text=True, timeout=120)
        return int(done.stdout)

    def remove(self) -> None:
        subprocess.run([*RUNTIME, "rm", "--force", "--time", "0", self.name], capture_output=True)
