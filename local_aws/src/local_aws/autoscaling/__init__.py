"""Application Auto Scaling for SageMaker endpoint variants: targets, target-tracking policies, activities.

`service` answers the API; `scaler` is the loop that reads CloudWatch every few seconds, asks `decision` how
many instances a variant should have, and sets that through SageMaker's own API, as AWS does.
"""

from __future__ import annotations

from local_aws.autoscaling import policies, targets
from local_aws.autoscaling.metrics import CloudWatchMetrics
from local_aws.autoscaling.scaler import Scaler
from local_aws.autoscaling.variants import Variants
from local_aws.core.api import JsonService
from local_aws.core.context import LocalAws


def service(aws: LocalAws) -> JsonService:
    """Application Auto Scaling's API over the state of `aws`; its scaler runs while the server does."""
    svc = JsonService("application-autoscaling")
    variants = Variants(aws)
    scaler = Scaler(aws.store, variants, CloudWatchMetrics(aws), aws.now)
    targets.register(svc, aws, variants)
    policies.register(svc, aws)
    svc.at_start(lambda: aws.spawn(scaler.run, "auto scaling"))
    svc.at_stop(scaler.stop)
    return svc
