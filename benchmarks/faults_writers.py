"""A client that writes all the time, of several kinds, and remembers what was acknowledged."""

from __future__ import annotations

import hashlib
import itertools
import threading
from types import TracebackType
from typing import Any

from benchmarks.faults_installation import Installation
from benchmarks.faults_judged import Ledger

BUCKET = "the-ledger-of-faults"
PAUSE_SECONDS = 0.05
_SIZE = 20_000
_SLOTS = 20


class Writer:
    """Writes objects, parameters and groups of model packages while the block lasts."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.ledger = Ledger()

    def prepare(self) -> None:
        """Make the bucket, if it is not there, with versions."""
        s3 = self._installation.client("s3")
        if BUCKET not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=BUCKET)
            s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})

    def __enter__(self) -> Writer:
        self._stop.clear()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(120)

    def once(self) -> bool:
        """One write of each kind; whether all were acknowledged."""
        clients = {name: self._installation.client(name) for name in ("s3", "ssm", "sagemaker")}
        written = [self._put(clients, kind) for kind in ("object", "slot", "parameter", "group")]
        return all(written)

    def lost(self) -> list[str]:
        """What was acknowledged and is not there."""
        return self.ledger.lost(self._found())

    def _write(self) -> None:
        clients = {name: self._installation.client(name) for name in ("s3", "ssm", "sagemaker")}
        for kind in itertools.cycle(("object", "slot", "parameter", "object", "slot", "group")):
            if self._stop.wait(PAUSE_SECONDS):
                return
            self._put(clients, kind)

    def _put(self, clients: dict[str, Any], kind: str) -> bool:
        number = next(self._numbers)
        if kind == "object":
            return self.ledger.write(
                f"s3 new-{number}", _value(number), lambda key, value: _object(clients, key, value)
            )
        if kind == "slot":
            slot = f"s3 slot-{number % _SLOTS}"
            return self.ledger.write(slot, _value(number), lambda key, value: _object(clients, key, value))
        if kind == "parameter":
            name = f"ssm /faults/{number % _SLOTS}"
            return self.ledger.write(name, _value(number), lambda key, value: _parameter(clients, key, value))
        return self.ledger.write(f"group ledger-{number}", "", lambda key, _: _group(clients, key))

    def _found(self) -> dict[str, str]:
        s3, ssm = self._installation.client("s3"), self._installation.client("ssm")
        found: dict[str, str] = {}
        for key in [key for key in self.ledger.acknowledged if key.startswith("s3 ")]:
            try:
                body = s3.get_object(Bucket=BUCKET, Key=key.partition(" ")[2])["Body"].read()
            except s3.exceptions.ClientError:
                continue
            value, _, rest = body.decode().partition(" ")
            found[key] = value if rest == _filling(value) else "other bytes"
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/faults", Recursive=True)
        found |= {f"ssm {each['Name']}": each["Value"] for page in pages for each in page["Parameters"]}
        listed = self._installation.client("sagemaker").get_paginator("list_model_package_groups").paginate()
        for page in listed:
            for group in page["ModelPackageGroupSummaryList"]:
                found[f"group {group['ModelPackageGroupName']}"] = ""
        return found


def _object(clients: dict[str, Any], key: str, value: str) -> None:
    body = f"{value} {_filling(value)}".encode()
    clients["s3"].put_object(Bucket=BUCKET, Key=key.partition(" ")[2], Body=body)


def _parameter(clients: dict[str, Any], key: str, value: str) -> None:
    clients["ssm"].put_parameter(Name=key.partition(" ")[2], Value=value, Type="String", Overwrite=True)


def _group(clients: dict[str, Any], key: str) -> None:
    clients["sagemaker"].create_model_package_group(ModelPackageGroupName=key.partition(" ")[2])


def _value(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _filling(value: str) -> str:
    """Bytes that only this value has, so that another's cannot be taken for them."""
    return value * (_SIZE // len(value))
