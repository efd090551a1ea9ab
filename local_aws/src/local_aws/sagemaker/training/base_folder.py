"""The folder a training job works in, shaped as SageMaker shapes ``/opt/ml``.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# ``checkpoints`` is there only for a job with a CheckpointConfig, whose run makes it.
FOLDERS = ("input/config", "input/data", "model", "output/data")
GROUP = "homogeneousCluster"
_WITH_GPU = re.compile(r"ml\.[gp]\d")
# What SDK 2's local mode calls the machine it runs on.
_LOCAL = "local"


def lay_out(base: Path, job: Mapping[str, Any], host: str, hosts: Sequence[str]) -> None:
    """Make the folders and configuration files of a host of a job (a CreateTrainingJob request)."""
    for name in FOLDERS:
        (base / name).mkdir(parents=True)
    instance = _here(job["ResourceConfig"]["InstanceType"])
    group = {"instance_group_name": GROUP, "instance_type": instance, "hosts": list(hosts)}
    files = {
        "hyperparameters": job.get("HyperParameters", {}),
        "inputdataconfig": {
            channel["ChannelName"]: _channel(channel, job["AlgorithmSpecification"]["TrainingInputMode"])
            for channel in job.get("InputDataConfig", [])
        },
        "resourceconfig": {
            "current_host": host,
            "current_instance_type": instance,
            "current_group_name": GROUP,
            "hosts": list(hosts),
            "instance_groups": [group],
            "network_interface_name": "lo",
        },
    }
    for name, content in files.items():
        (base / "input/config" / f"{name}.json").write_text(json.dumps(content))


def _here(instance_type: str) -> str:
    """What a job is told it runs on: this machine stands for any processor, for no GPU that it may lack."""
    return _LOCAL if _WITH_GPU.match(instance_type) else instance_type


def _channel(channel: Mapping[str, Any], input_mode: str) -> dict[str, str]:
    described = {
        "TrainingInputMode": channel.get("InputMode", input_mode),
        "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
            "S3DataDistributionType", "FullyReplicated"
        ),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    if channel.get("ContentType"):
        described["ContentType"] = channel["ContentType"]
    return described
