"""The number of instances, raised on the endpoint as it is."""

from __future__ import annotations

from typing import Any

from cli.deploy.live.state import Endpoint
from cli.errors import CdkFailed, CliError
from cli.target import Target

WAIT_SECONDS = 3600
Bounds = tuple[int, int]


class NoRoom(CliError):
    """AWS has no more instances for the endpoint; nothing was changed."""


def bounds(target: Target, endpoint: Endpoint) -> Bounds | None:
    """Between which numbers auto scaling keeps the variant; None when it does not look after it."""
    found = target.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[_scaled(target, endpoint)["ResourceId"]]
    )["ScalableTargets"]
    return (found[0]["MinCapacity"], found[0]["MaxCapacity"]) if found else None


def bound(target: Target, endpoint: Endpoint, new: Bounds) -> None:
    """Tell auto scaling new bounds; else it would take back at once what is raised."""
    target.client("application-autoscaling").register_scalable_target(
        **_scaled(target, endpoint), MinCapacity=new[0], MaxCapacity=new[1]
    )


def raise_to(target: Target, endpoint: Endpoint, least: int) -> None:
    """Until at least so many instances answer. Auto scaling, told its new bounds, may be quicker than we.

    Raises:
        NoRoom: AWS refused them.
        CdkFailed: they did not come.
    """
    for _ in target.polls(WAIT_SECONDS):
        if _reached(target, endpoint, least):
            return
    raise CdkFailed(f"The endpoint {target.project} did not get {least} instances within an hour.")


def _reached(target: Target, endpoint: Endpoint, least: int) -> bool:
    client = target.client("sagemaker")
    found = client.describe_endpoint(EndpointName=target.project)
    if found["EndpointStatus"] != "InService":
        return False
    now = {each["VariantName"]: each for each in found["ProductionVariants"]}[endpoint.variant]
    if now["DesiredInstanceCount"] >= least:
        return True
    _ask_for(client, target, endpoint, least)
    return False


def _ask_for(client: Any, target: Target, endpoint: Endpoint, least: int) -> None:
    from botocore.exceptions import ClientError

    wanted = {"VariantName": endpoint.variant, "DesiredInstanceCount": least}
    try:
        client.update_endpoint_weights_and_capacities(
            EndpointName=target.project, DesiredWeightsAndCapacities=[wanted]
        )
    except ClientError as error:
        refusal = error.response["Error"]
        if refusal["Code"] == "ResourceLimitExceeded":
            raise NoRoom(f"{refusal['Message']}\nNothing was changed.") from None
        if refusal["Code"] != "ValidationException":  # that one says that it is being changed already
            raise


def _scaled(target: Target, endpoint: Endpoint) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{target.project}/variant/{endpoint.variant}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
