"""What answers now, and what the settings want to answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cli import aws
from cli.deploy.settings import stacks_check
from cli.release import champion
from cli.target import Target
from contract.instances import pays_for_gpu
from contract.names import IMAGE_TARGET, NO_CHAMPION

_SERVES_NOBODY = ("Creating", "Failed", "Deleting")


class Hosting(StrEnum):
    """What stands behind the endpoint's name."""

    INSTANCES = "instances"
    COMPONENTS = "components"
    SERVERLESS = "serverless"


class Image(StrEnum):
    """What a serving image was built for."""

    CPU = "cpu"
    GPU = "gpu"


@dataclass(frozen=True)
class Endpoint:
    """The endpoint while it serves; without instances of its own, `instances` is 0."""

    hosting: Hosting
    variant: str
    instance_type: str = ""
    instances: int = 0


@dataclass(frozen=True)
class Running:
    """The endpoint (None: there is none that serves), and the champion, awake or asleep."""

    endpoint: Endpoint | None
    champion: str = ""
    image: Image | None = None
    """What the champion's image was built for."""


@dataclass(frozen=True)
class Wanted:
    """What the settings say."""

    hosting: Hosting
    image: Image
    instance_types: tuple[str, ...]
    """What may be run on, the first choice first; none for serverless."""
    min_instances: int

    def takes(self, instance_type: str) -> bool:
        """Whether instances of this type are as good as any."""
        return instance_type in self.instance_types


def read_wanted(target: Target) -> Wanted:
    """The settings of this checkout. Raises WouldFail where they cannot be used."""
    serving = stacks_check(target, [])["serving"]
    return Wanted(
        Hosting(serving["hosting"]),
        Image(serving["image_target"]),
        tuple(serving["instance_types"]),
        serving["min_instances"],
    )


def read_running(target: Target) -> Running:
    """What is there now."""
    endpoint = read_endpoint(target)
    model = champion.read(target).model
    if model == NO_CHAMPION:
        return Running(endpoint, "", None)
    return Running(endpoint, model, _image(target, model, endpoint))


def read_endpoint(target: Target) -> Endpoint | None:
    """The project's endpoint; None if there is none that serves."""
    found = aws.endpoint(target)
    if found is None or found["EndpointStatus"] in _SERVES_NOBODY or not found.get("ProductionVariants"):
        return None
    describe_config = target.client("sagemaker").describe_endpoint_config
    config = aws.found(describe_config, EndpointConfigName=found["EndpointConfigName"]) or {}
    (summary, *_), (variant, *_) = found["ProductionVariants"], config.get("ProductionVariants", [{}])
    name = summary["VariantName"]
    if "CurrentServerlessConfig" in summary or "ServerlessConfig" in variant:
        return Endpoint(Hosting.SERVERLESS, name)
    if "ModelName" not in variant:
        return Endpoint(Hosting.COMPONENTS, name, variant.get("InstanceType", ""))
    return Endpoint(Hosting.INSTANCES, name, variant["InstanceType"], summary["DesiredInstanceCount"])


def _image(target: Target, model: str, endpoint: Endpoint | None) -> Image | None:
    """A package says it in its metadata; of older ones the instance type that they were registered for does,
    or the one they run on.
    """
    package = aws.found(target.client("sagemaker").describe_model_package, ModelPackageName=model)
    if package is None:
        return None
    image = package.get("CustomerMetadataProperties", {}).get(IMAGE_TARGET)
    if image in set(Image):
        return Image(image)
    types = package.get("InferenceSpecification", {}).get("SupportedRealtimeInferenceInstanceTypes", [])
    types = types or ([endpoint.instance_type] if endpoint else [])
    if not any(types):
        return None
    return Image.GPU if pays_for_gpu(types[0]) else Image.CPU
