"""Where a command works: the local AWS or a real account, as one value, `Target`.

It makes boto3 clients, gives the environment for child processes (the CDK CLI), and knows the names of stacks
and files. Local is the default so that nothing ever reaches AWS by accident.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cli import server_lock
from cli.choice import NO_CHOICE, Choice, command
from cli.errors import BadTarget, NotUp
from cli.node import node_bin
from cli.settings_file import project_of
from contract import names

ROOT = Path(__file__).resolve().parent.parent
LOCAL_ACCOUNT = "000000000000"
LOCAL_REGION = "us-east-1"
DEFAULT_PORT = 4566
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
STACKS = ("storage", "training", "serving", "api", "monitoring")


class NeverStarted(NotUp):
    """This checkout's local AWS has no key yet: it makes one when it is first started."""


@dataclass(frozen=True)
class Target:
    """One place to work against.

    Attributes:
        kind: `local` or `aws`.
        project: the prefix of every name (the `project` setting of cdk.json, or of CLASSIFIER_CONFIG).
        root: the checkout.
        home: where everything local lives: state, logs, outputs (`<root>/.local`, or CLASSIFIER_HOME).
        port: TCP port of the local AWS on 127.0.0.1 (unused for aws).
        choice: what an environment of classifier.toml, --profile and --region add.
    """

    kind: str
    project: str
    root: Path
    home: Path
    port: int
    choice: Choice = NO_CHOICE

    @property
    def is_local(self) -> bool:
        return self.kind == "local"

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state_dir(self) -> Path:
        """Where the local AWS keeps everything, its key included."""
        return server_lock.state_dir(self.home)

    @property
    def root_key(self) -> dict[str, str]:
        """The local AWS's own key, as the variables every AWS client takes it from.

        Read anew each time: whoever wipes the state and starts again has another one.

        Raises:
            NeverStarted: there is none.
        """
        path = self.state_dir / "root-credentials.json"
        try:
            key = json.loads(path.read_text())
            return {
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            }
        except FileNotFoundError:
            raise NeverStarted(
                f"The local AWS of {self.home} is not up yet. Run `make up` (or `{self.command('up')}`)."
            ) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NeverStarted(
                f"{path} holds no access key. Run `make down`, remove it, and run `make up`."
            ) from None

    @property
    def option(self) -> str:
        """What a suggested command line must carry to reach this target again."""
        return self.choice.option or ("" if self.is_local else " --target aws")

    def command(self, words: str) -> str:
        """A command line to suggest, such as `approve 3`, which reaches this target again."""
        return command(words, self.option)

    @property
    def outputs_path(self) -> Path:
        if self.choice.name:
            return self.home / f"outputs.{self.choice.name}.json"
        return self.home / ("outputs.json" if self.is_local else "outputs.aws.json")

    @property
    def stack_names(self) -> tuple[str, ...]:
        return tuple(self.stack(room) for room in STACKS)

    @property
    def poll_seconds(self) -> float:
        """How often to ask for a job's state: SageMaker throttles Describe calls, the local AWS does not."""
        return 1.0 if self.is_local else 10.0

    def polls(self, seconds: float) -> Iterator[None]:
        """A look at once and one every `poll_seconds`, for so long."""
        deadline = time.monotonic() + seconds
        yield
        while time.monotonic() <= deadline:
            time.sleep(self.poll_seconds)
            yield

    def stack(self, name: str) -> str:
        return names.stack(self.project, name)

    @property
    def _session(self) -> Any:
        if self.is_local:
            return _local_session(*self.root_key.values())
        return self._account_session

    @cached_property
    def _account_session(self) -> Any:
        import boto3

        # boto3 itself knows AWS_DEFAULT_REGION only; the CDK CLI and every other SDK take AWS_REGION first.
        region = self.choice.region or os.environ.get("AWS_REGION")
        session = boto3.Session(profile_name=self.choice.profile or None, region_name=region or None)
        if not session.region_name:
            raise BadTarget(
                "No AWS region is set. Give --region, or set AWS_REGION, for example AWS_REGION=eu-west-1."
            )
        return session

    @property
    def region(self) -> str:
        return LOCAL_REGION if self.is_local else str(self._session.region_name)

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client for `service`; `config` goes to botocore's Config (timeouts, retries, pool size).

        Raises:
            NotUp: the local AWS of this checkout is not up; another checkout's may answer on its port.
        """
        if self.is_local and server_lock.holder(self.home) is None:
            raise NotUp(
                f"The local AWS of this checkout is not up. Run `make up` (or `{self.command('up')}`)."
            )
        return self.any_client(service, **config)

    def any_client(self, service: str, **config: Any) -> Any:
        """As `client`, for whoever answers on the port: only to ask who that is."""
        from botocore.config import Config

        if not self.is_local:
            return self._session.client(service, config=Config(**config))
        try:
            session = self._session
        except NeverStarted:
            session = _local_session("LOCALAWSHASNOKEY", "none")
        # No proxy stands between us, and one that does not answer now will not answer at the fifth try.
        local = {"proxies": {}, "s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 2}}
        settings: dict[str, Any] = {**local, "connect_timeout": 5, **config}
        return session.client(service, endpoint_url=self.endpoint_url, config=Config(**settings))

    def signed(
        self, service: str, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        """The headers with those of a signature (Signature Version 4) for this request added."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        SigV4Auth(self._session.get_credentials(), service, self.region).add_auth(request)
        return dict(request.headers.items())

    def account(self) -> str:
        """The account. Raises BadTarget for another than the environment is for."""
        found = str(self.client("sts").get_caller_identity()["Account"])
        if self.choice.account not in ("", found):
            raise BadTarget(
                f"The environment {self.choice.name} is for the account {self.choice.account}, and these "
                f"credentials are of {found}. Choose others with --profile, or mend classifier.toml. Nothing "
                "was done."
            )
        return found

    def environment(self) -> dict[str, str]:
        """The environment for child processes: this Python and its Node first on PATH, and for the local AWS
        its address and root credentials in place of anything which could point to a real account."""
        env = dict(os.environ)
        path = [str(Path(sys.executable).parent), str(node_bin()), env.get("PATH", "")]
        env["PATH"] = os.pathsep.join(path)
        # The CLI keeps accounts by access key in its home: a separate one per target never mixes them.
        env["CDK_HOME"] = str(self.home / f"cdk-home.{self.kind}")
        env["CDK_DISABLE_CLI_TELEMETRY"] = "true"
        if not self.is_local:  # one region, wherever it came from: what was looked at is what is deployed to
            if self.choice.profile:  # keys in the environment would go before it
                for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
                    env.pop(name, None)
                env["AWS_PROFILE"] = self.choice.profile
            return env | dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), self.region)
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"):
            env.pop(name, None)
        local = {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            **self.root_key,
            "AWS_REGION": LOCAL_REGION,
            "AWS_DEFAULT_REGION": LOCAL_REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DEFAULT_ACCOUNT": LOCAL_ACCOUNT,
            "CDK_DEFAULT_REGION": LOCAL_REGION,
        }
        return env | local


@lru_cache(maxsize=4)
def _local_session(access_key_id: str, secret_access_key: str) -> Any:
    import boto3

    return boto3.Session(access_key_id, secret_access_key, region_name=LOCAL_REGION)


def resolve(kind: str, root: Path = ROOT) -> Target:
    """The target for `kind` (`local` or `aws`), with port and project from the environment and the settings.

    Raises:
        BadTarget: CLASSIFIER_PORT is no port, or not that of the local AWS that runs here, or the settings
            cannot be read, or their project is no usable name.
    """
    home = Path(os.environ.get("CLASSIFIER_HOME") or root / ".local").resolve()
    port = _port(home if kind == "local" else None)
    return Target(kind=kind, project=project_of(root), root=root, home=home, port=port)


def _port(home: Path | None) -> int:
    """The port that the running server has, and only if none runs (on AWS none does) the one asked for."""
    asked = os.environ.get("CLASSIFIER_PORT")
    if asked is not None and not (re.fullmatch(r"[0-9]{1,5}", asked) and 1 <= int(asked) <= 65535):
        raise BadTarget(
            f"CLASSIFIER_PORT={asked!r} is not a port. Give a number from 1 to 65535, or unset it for "
            f"{DEFAULT_PORT}."
        )
    running = server_lock.holder(home) if home else None
    if running is None:
        return int(asked) if asked else DEFAULT_PORT
    if asked and int(asked) != running.port:
        raise BadTarget(
            f"The local AWS of this checkout runs on port {running.port} (process {running.pid}), and "
            f"CLASSIFIER_PORT says {int(asked)}. Unset CLASSIFIER_PORT to use it; to move it, stop it first: "
            f"CLASSIFIER_PORT={running.port} make down."
        )
    return running.port


def spare_loopback(environment: MutableMapping[str, str]) -> None:
    """Adds the loopback addresses to what goes past the environment's proxies, for us and all we start."""
    listed = [environment.get(name, "") for name in ("NO_PROXY", "no_proxy")]
    hosts = [host.strip() for host in ",".join(listed).split(",")]
    environment["NO_PROXY"] = environment["no_proxy"] = ",".join(
        dict.fromkeys(filter(None, [*hosts, *_LOOPBACK]))
    )
