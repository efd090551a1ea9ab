"""One deployment in memory: a recipe, a data set, the training code's metrics, and handlers that use it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from functions.common import clients
from tests.unit.lambda_functions.fakes import REGION, World

RECIPE = """
[model]
arch = "resnet18"
weights = "imagenet"
trainable_from = "layer4"

[data]
image_size = 64
augment = "flip"

[training]
optimizer = "sgd"
epochs = 3
batch_size = 32
learning_rate = 0.01
seed = 7

[tuning]
strategy = "Bayesian"
objective = "valid_accuracy"
direction = "maximize"
max_jobs = 4
parallel_jobs = 2
early_stopping = "Auto"

[tuning.ranges.learning_rate]
type = "continuous"
min = 0.0001
max = 0.1
scale = "logarithmic"

[tuning.ranges.batch_size]
type = "categorical"
values = [16, 32]

[final]
epochs = 8
"""

METRICS = [{"Name": "valid_accuracy", "Regex": "(?:^|\\n)valid_accuracy=([0-9.eE+-]+) "}]
ENVIRONMENT = {
    "PROJECT": "demo",
    "DATA_BUCKET": "data",
    "ARTIFACTS_BUCKET": "artifacts",
    "CODE_PREFIX": "code/abc/",
    "TRAINING_IMAGE": "000000000000.dkr.ecr.us-east-1.amazonaws.com/training:1",
    "TRAINING_IMAGE_GPU": "000000000000.dkr.ecr.us-east-1.amazonaws.com/training-gpu:1",
    "TRAINING_ROLE_ARN": "arn:aws:iam::000000000000:role/demo-training-job",
    "TRAINING_INSTANCE_TYPE": "ml.c7i.2xlarge",
    "TRAINING_VOLUME_GB": "30",
    "MAX_RUNTIME_MINUTES": "60",
    "SERVING_IMAGE": "000000000000.dkr.ecr.us-east-1.amazonaws.com/serving:1",
    "SERVING_IMAGE_TARGET": "cpu",
    "SERVING_REPOSITORY": "serving",
    "IMAGE_TAG_PREFIX": "model-",
    "MODEL_PACKAGE_GROUP": "demo",
    "APPROVAL": "auto",
    "MUST_BE": "better",
    "SIGNIFICANCE": "0.05",
    "MIN_ACCURACY": "0.0",
    "MIN_CLASS_RECALL": "0.0",
    "MAX_LATENCY_MS": "0",
    "MAX_SIZE_MB": "0",
    "CHAMPION_PARAMETER": "/demo/champion",
    "SERVING_STACK": "demo-serving",
    "MIN_INSTANCES": "1",
    "ENDPOINT_NAME": "demo",
    "VARIANT": "main",
    "CAPTURE_FOLDER": "captured/demo/main",
    "SHADOW_FOLDER": "captured/demo/shadow",
    "HOURS": "24",
    "REQUESTS": "20",
    "MIN_AGREEMENT": "0.8",
    "MAX_LATENCY_PERCENT": "150",
    "THRESHOLD": "0.25",
    "MIN_PREDICTIONS": "50",
    "CORRECTIONS": "3",
    "MAX_COST_USD_MONTH": "5",
    "LAUNCH_FUNCTION": "demo-launch-tuning",
    "METRIC_NAMESPACE": "Classifier/Drift",
    "IDLE_MINUTES": "60",
    "PROMOTE_FUNCTION": "demo-promote-model",
    "NOTIFICATION_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:demo-alerts",
    "MAX_IMAGE_BYTES": "1000",
    "AWS_DEFAULT_REGION": REGION,
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Buckets with one recipe and one data set, no job, no model; every handler's clients go here."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("ALLOWED_ORIGIN", "GIVEN_BUCKET", "GIVEN_DAYS", "RECIPE", "RETRAIN_FUNCTION"):
        monkeypatch.delenv(name, raising=False)
    world = World()
    world.s3.put("artifacts", "recipes/digits.toml", RECIPE)
    world.s3.put("artifacts", "code/abc/training_code/metric_definitions.json", json.dumps(METRICS))
    for split in ("train", "valid", "test"):
        for label in ("0", "1"):
            for name in "abcdefgh" if split == "train" else "a":
                world.s3.put("data", f"digits/{split}/{label}/{name}.png", f"{split}/{label}/{name}")
    world.ssm._put({"Name": "/demo/champion", "Value": "none"})
    clients.client.cache_clear()
    monkeypatch.setattr("boto3.client", lambda service, config=None: world.client(service))
    yield world
    clients.client.cache_clear()
