"""The hosting half of SageMaker, put together: the registry, models, endpoints and their runtime.

`service` makes the object that answers both SageMaker's API and InvokeEndpoint (they share one signing name),
with the hosting operations registered. When the server starts it brings back the endpoints that the last run
left.
"""

from __future__ import annotations

from local_aws.core.api import JsonService
from local_aws.core.context import LocalAws
from local_aws.sagemaker.hosting import endpoint_configs, endpoints, inference_components
from local_aws.sagemaker.hosting.hosted_fleets import ComponentFleets, EndpointFleets
from local_aws.sagemaker.hosting.runtime import InvocationService
from local_aws.sagemaker.registry import model_package_groups, model_packages, models
from local_aws.sagemaker.serving.data_capture import DataCapture
from local_aws.sagemaker.serving.router import Router
from local_aws.sagemaker.serving.traffic_metrics import TrafficMetrics


def service(aws: LocalAws) -> JsonService:
    """The SageMaker service of `aws` with its hosting operations; others register theirs on it."""
    router = Router()
    endpoint_fleets = EndpointFleets(aws, router)
    component_fleets = ComponentFleets(aws, router)
    metrics = TrafficMetrics(aws, router)
    capture = DataCapture(aws)
    svc = InvocationService(aws, router, metrics, capture)
    for room in (models, model_package_groups, model_packages, endpoint_configs):
        room.register(svc, aws)
    endpoints.register(svc, aws, endpoint_fleets)
    inference_components.register(svc, aws, component_fleets)
    svc.at_start(endpoint_fleets.resume)
    svc.at_start(component_fleets.resume)
    svc.at_start(metrics.start)
    svc.at_start(capture.start)
    svc.at_stop(metrics.stop)
    svc.at_stop(capture.stop)
    return svc
