"""Thirty names that no machine of ours would make, given to every service that takes a name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from botocore.parsers import ResponseParserError

from cli.data.findings import BadDataset
from cli.data.upload import check_name
from local_aws.sagemaker.s3_files import UnsafeKeyError, inside

NAMES: Final = (
    "..", ".", "../../../../escaped", "/escaped", "//escaped", "a/../../../../escaped", "..\\..\\escaped",
    "C:\\escaped", "a\n", "a\r\nX-Injected: 1", "a\0b", "\x7f", "\u202efdp.exe", "caf\u00e9", "cafe\u0301",
    "\u06af\u0631\u0628\u0647\u200c\u0647\u0627", "Screenshot at 3.45.00\u202fPM", "\U0001f408", "CON",
    "aux.png", " leading", "trailing ", "-rf", "--help", "$(touch escaped)", "`touch escaped`",
    "';touch escaped;'",
    "%2e%2e%2fescaped", "<img src=x onerror=alert(1)>", "{{7*7}}", "n" * 255, "n" * 1025,
    "a" * 20 + "/" * 900 + "b",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What one service said to one name."""

    service: str
    name: str
    fault: str
    """A server's error, or none of ours; empty when it was taken or refused."""
    escaped: str
    milliseconds: float


def run(client: Callable[[str], Any], root: Path, allowed: Path) -> list[Outcome]:
    """Give all names to all services.

    Args:
        client: makes boto3 clients of the local AWS.
        root: a folder of the benchmark's own, in which nothing may appear but in `allowed`.
        allowed: where the local AWS keeps its state.
    """
    outcomes = []
    for service, call in _services(client).items():
        for name in NAMES:
            before = _files(root, allowed)
            began = time.perf_counter()
            fault = _fault(call, name)
            milliseconds = round((time.perf_counter() - began) * 1000, 1)
            new = sorted(_files(root, allowed) - before)
            outcomes.append(Outcome(service, name, fault, str(new[0]) if new else "", milliseconds))
    return outcomes


def _fault(call: Callable[[str], object], name: str) -> str:
    try:
        call(name)
    except (BadDataset, UnsafeKeyError, ParamValidationError):
        return ""  # refused by us, or by botocore before anything was sent
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {error}"[:200] if status >= 500 else ""
    except (BotoCoreError, ResponseParserError, OSError) as error:
        return f"{type(error).__name__}: {error}"[:200]
    except ValueError as error:
        # What HTTP cannot carry never leaves botocore.
        return "" if "header" in str(error).lower() or "url" in str(error).lower() else f"ValueError: {error}"
    return ""


def _files(root: Path, allowed: Path) -> set[Path]:
    found = set()
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name) != allowed]
        found |= {Path(folder, name) for name in (*folders, *files)}
    return found


def _services(client: Callable[[str], Any]) -> dict[str, Callable[[str], object]]:
    s3 = client("s3")
    bucket = "hostile-names"
    s3.create_bucket(Bucket=bucket)

    def object_key(name: str) -> None:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
        if s3.get_object(Bucket=bucket, Key=name)["Body"].read() != name.encode():
            raise OSError("another object came back")
        s3.delete_object(Bucket=bucket, Key=name)

    def copied(name: str) -> None:
        s3.put_object(Bucket=bucket, Key="plain", Body=b"plain")
        s3.copy_object(Bucket=bucket, Key=name, CopySource={"Bucket": bucket, "Key": "plain"})
        s3.delete_object(Bucket=bucket, Key=name)

    def file_of_a_channel(name: str) -> None:
        folder = Path("/nowhere/channel")
        if folder not in inside(folder, name).resolve().parents:
            raise OSError("it lies outside of the channel's folder")

    def dataset(name: str) -> None:
        if check_name(name) != name or not name.isascii() or name.strip() != name:
            raise OSError("this is no dataset's name, and was taken")

    def parameter(name: str) -> None:
        client("ssm").put_parameter(Name=name, Value="x", Type="String", Overwrite=True)

    def deleted_bucket(name: str) -> None:
        client("s3").delete_bucket(Bucket=name)

    return {
        "dataset": dataset,
        "file of a channel": file_of_a_channel,
        "s3: key": object_key,
        "s3: copy": copied,
        "s3: bucket": deleted_bucket,
        "ssm: parameter": parameter,
        "sagemaker: training job": lambda name: client("sagemaker").describe_training_job(
            TrainingJobName=name
        ),
        "sagemaker: endpoint": lambda name: client("sagemaker").describe_endpoint(EndpointName=name),
        "sagemaker: package": lambda name: client("sagemaker").describe_model_package(ModelPackageName=name),
        "runtime: endpoint": lambda name: client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=b"x"
        ),
        "logs: group": lambda name: client("logs").create_log_group(logGroupName=name),
        "lambda: function": lambda name: client("lambda").invoke(FunctionName=name),
        "iam: role": lambda name: client("iam").get_role(RoleName=name),
        "cloudformation: stack": lambda name: client("cloudformation").describe_stacks(StackName=name),
    }
