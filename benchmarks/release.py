"""Releases under load: does a request fail, is the chain fast, do repeated events cost, is sleep free?

Run on a local AWS of its own, deployed by the real CDK CLI, with the digits recipe's model:

* chain: one search to a served model; what it takes beside the jobs themselves;
* promotions: ten versions released one after the other, callers asking all the time;
* rollbacks: five releases that have to be taken back (two artifacts that do not start, a model that takes too
  long, an alarm raised by hand, `classifier rollback`), callers asking all the time;
* failing: a model that answers 500. Its own answers reach the callers until the alarm rings, so they are
  counted on their own and are not in `failed_requests`;
* events: 200 deliveries of the chain's events, repeated and shuffled;
* asleep: what the templates' resources cost an hour without a champion, by the price table.

`PARTS=promotions,rollbacks` runs only those, on what an earlier part left up; the last part takes it down
(`KEEP=1`: leaves it). Results of one commit are kept together.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import harness
from cli.target import Target
from tests.system.releases import Load, Registry, build_faulty_image, until

PARTS = ("chain", "promotions", "rollbacks", "failing", "events", "asleep")
HOME = Path(os.environ.get("RELEASE_HOME", harness.ROOT / ".local" / "release"))
PORT = os.environ.get("RELEASE_PORT", "4719")
PROJECT = "classifier"
RUN = f"{PROJECT}-bench"
SETTINGS = {"alarm_minutes": 1, "alarm_latency_ms": 3000, "bake_seconds": 15}
# The slow model's first answers take 5 s, and publishing their latency up to 10 s: no alarm rings before.
LONG_BAKE_SECONDS = 30
PROMOTIONS, DELIVERIES = 10, 200
Row = dict[str, Any]


class Deployment:
    """The local AWS of this benchmark and what is deployed to it."""

    def __init__(self) -> None:
        HOME.mkdir(parents=True, exist_ok=True)
        self._config = HOME / "settings.json"
        own = {"CLASSIFIER_HOME": str(HOME), "CLASSIFIER_PORT": PORT, "CLASSIFIER_CONFIG": str(self._config)}
        self.environment = {**os.environ, **own}

    def deploy(self, **settings: int) -> None:
        """All stacks, with the benchmark's settings or others."""
        self._config.write_text(json.dumps({"serving": SETTINGS | settings}))
        self.cli("up", "--yes")

    def cli(self, *arguments: str, check: bool = True) -> str:
        return harness.classifier(*arguments, environment=self.environment, check=check)

    def client(self, service: str) -> Any:
        target = Target("local", "classifier", harness.ROOT, HOME, int(PORT))
        return target.client(service, read_timeout=120)

    @property
    def outputs(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((HOME / "outputs.json").read_text())
        return read

    @property
    def registry(self) -> Registry:
        return Registry(self.client, PROJECT, self.outputs["artifacts_bucket"])

    @property
    def picture(self) -> bytes:
        return next((HOME / "digits" / "test" / "3").iterdir()).read_bytes()

    def load(self) -> Load:
        return Load(self.outputs["api_url"], self.outputs["api_key"], self.picture)


def chain(deployment: Deployment) -> tuple[list[Row], Row]:
    """One search to a served model. What follows the search and is not the final training is the chain's."""
    deployment.cli("demo-data", str(HOME / "digits"))
    deployment.cli("upload", str(HOME / "digits"), "--dataset", "digits")
    build_faulty_image(HOME / "aws")
    request = {"recipe": "digits", "dataset": "digits", "name": RUN, "tuning": {"max_jobs": 2}}
    function = f"{PROJECT}-launch-tuning"
    deployment.client("lambda").invoke(FunctionName=function, Payload=json.dumps(request))
    sagemaker, registry = deployment.client("sagemaker"), deployment.registry
    load = deployment.load()
    load.callers, load.pause = 1, 0.25
    with load:
        until(lambda: bool(load.versions), 1500, lambda: "the new model never answered")
        answered = time.time()
    until(registry.agreed, 600, lambda: str(registry.stack()))
    search = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=RUN)
    training = sagemaker.describe_training_job(TrainingJobName=f"{RUN}-final")
    whole = answered - search["HyperParameterTuningEndTime"].timestamp()
    job = (training["TrainingEndTime"] - training["CreationTime"]).total_seconds()
    overhead = round(whole - job, 2)
    row = {"system": "chain", "search_to_answer_s": whole, "final_training_s": job, "overhead_s": overhead}
    return [row], {"chain_overhead_s": overhead}


def promotions(deployment: Deployment) -> tuple[list[Row], Row]:
    """Ten releases of the model, each a version of its own."""
    registry, rows, failed = deployment.registry, [], 0
    first = registry.champion()
    for number in range(1, PROMOTIONS + 1):
        with deployment.load() as load:
            took = registry.promote(registry.again(first))
        failed += len(load.failures)
        rows.append(_row("promotion", number, took, load))
    return rows, {"failed_in_promotions": failed}


def rollbacks(deployment: Deployment) -> tuple[list[Row], Row]:
    """Five releases that are taken back, each in its own way."""
    registry, rows, failed = deployment.registry, [], 0
    before = registry.champion()
    for number, how in enumerate(("broken", "broken", "alarm", "by hand", "slow"), start=1):
        if how == "slow":
            deployment.deploy(bake_seconds=LONG_BAKE_SECONDS)
        with deployment.load() as load:
            began = time.monotonic()
            if how == "by hand":
                registry.promote(registry.again(before))
                deployment.cli("rollback", "--reason", "benchmark")
                until(registry.agreed, 300, lambda: str(registry.stack()))
            elif how == "alarm":
                candidate = registry.again(before)
                registry.decide(candidate, "Approved")
                _ring(deployment, registry, candidate)
            else:
                registry.refused(registry.faulty(how))
            took = time.monotonic() - began
            if registry.champion() != before or not registry.agreed():
                sys.exit(f"{how}: {registry.told(before)}")
        failed += len(load.failures)
        rows.append(_row(f"rollback: {how}", number, took, load))
    return rows, {"failed_in_rollbacks": failed}


def failing(deployment: Deployment) -> tuple[list[Row], Row]:
    """A model that answers 500: taken back by itself, and how many of its answers went out until then."""
    registry = deployment.registry
    with deployment.load() as load:
        took = registry.refused(registry.faulty("failing"))
    own = sum("ModelFailed" in failure for failure in load.failures)
    row = _row("rollback: answers 500", 1, took, load)
    return [row], {"answers_of_the_failing_model": own, "failed_beside_them": len(load.failures) - own}


def events(deployment: Deployment) -> tuple[list[Row], Row]:
    """The chain's own events again, 200 times in any order: no job, version or update may come of them."""
    registry, shuffled = deployment.registry, random.Random(20261121)
    before = _made(deployment)
    approval: dict[str, str] = {"ModelPackageArn": registry.champion(), "ModelPackageGroupName": PROJECT}
    kinds: list[tuple[str, str, dict[str, str]]] = [
        ("launch-training", "SageMaker HyperParameter Tuning Job State Change",
         {"HyperParameterTuningJobName": RUN, "HyperParameterTuningJobStatus": "Completed"}),
        ("register-model", "SageMaker Training Job State Change",
         {"TrainingJobName": f"{RUN}-final", "TrainingJobStatus": "Completed"}),
        ("promote-model", "SageMaker Model Package State Change",
         {**approval, "ModelApprovalStatus": "Approved"}),
        ("promote-model", "CloudFormation Stack Status Change", {"stack-id": "any"}),
    ]  # fmt: skip
    deliveries = [kinds[number % len(kinds)] for number in range(DELIVERIES)]
    shuffled.shuffle(deliveries)
    client, errors = deployment.client("lambda"), 0
    for number, (function, kind, detail) in enumerate(deliveries):
        event: dict[str, Any] = {
            "id": f"e-{shuffled.randrange(50)}",
            "source": "aws.sagemaker",
            "detail-type": kind,
        }
        event |= {"time": "2026-11-21T00:00:00Z", "detail": detail}
        answer = client.invoke(FunctionName=f"{PROJECT}-{function}", Payload=json.dumps(event))
        errors += "FunctionError" in answer
        if number % 50 == 49:
            print(f"{number + 1} delivered", flush=True)
    until(registry.agreed, 120, lambda: str(registry.stack()))
    extra = sum(after - earlier for after, earlier in zip(_made(deployment), before, strict=True))
    row = {"system": "events", "deliveries": DELIVERIES, "errors": errors, "extra": extra}
    return [row], {"extra_jobs": extra}


def asleep(_: Deployment) -> tuple[list[Row], Row]:
    """The hourly price of every resource that is there without a champion, from the synthesised templates."""
    from benchmarks.asleep import hourly

    rows = hourly()
    return rows, {"hourly_cost_asleep_usd": sum(float(row["usd_per_hour"]) for row in rows)}


def _ring(deployment: Deployment, registry: Registry, candidate: str) -> None:
    """Raise a rollback alarm by hand, as an operator would, until the release is taken back."""
    cloudwatch, began = deployment.client("cloudwatch"), time.monotonic()
    until(lambda: registry.stack()[0].endswith("_IN_PROGRESS"), 120, lambda: registry.told(candidate))
    while registry.status(candidate)[0] != "Rejected" or not registry.agreed():
        if registry.stack()[0] == "UPDATE_IN_PROGRESS":
            cloudwatch.set_alarm_state(
                AlarmName=f"{PROJECT}-endpoint-errors", StateValue="ALARM", StateReason="an operator"
            )
        if time.monotonic() - began > 300:
            sys.exit(f"the alarm changed nothing: {registry.told(candidate)}")
        time.sleep(0.5)


def _made(deployment: Deployment) -> tuple[int, int, int]:
    """How many jobs and versions there are, and how often the Serving stack was updated."""
    sagemaker = deployment.client("sagemaker")
    stack = deployment.client("cloudformation").get_paginator("describe_stack_events")
    events = [each for page in stack.paginate(StackName=f"{PROJECT}-serving") for each in page["StackEvents"]]
    jobs = sagemaker.get_paginator("list_training_jobs").paginate()
    packages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=PROJECT)
    return (
        sum(len(page["TrainingJobSummaries"]) for page in jobs),
        sum(len(page["ModelPackageSummaryList"]) for page in packages),
        sum(each["ResourceStatus"] == "UPDATE_IN_PROGRESS" for each in events),
    )


def _row(system: str, number: int, seconds: float, load: Load) -> Row:
    row = {"system": system, "number": number, "seconds": round(seconds, 2), "requests": load.requests}
    print({**row, "failed": len(load.failures), "first": load.failures[:1]}, flush=True)
    return {**row, "failed": len(load.failures)}


def main() -> None:
    chosen = [part for part in PARTS if part in os.environ.get("PARTS", ",".join(PARTS)).split(",")]
    kept = HOME / "parts.json"
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    deployment = Deployment()
    if set(chosen) != {"asleep"}:
        deployment.deploy()
    for part in chosen:
        print(f"-- {part}", flush=True)
        rows, summary = globals()[part](deployment)
        results[part] = {"commit": harness.commit(), "rows": rows, "summary": summary}
        kept.write_text(json.dumps(results))
    if set(results) >= set(PARTS) and "KEEP" not in os.environ:
        deployment.cli("down", "--wipe", check=False)
    summary = {
        key: value for part in PARTS if part in results for key, value in results[part]["summary"].items()
    }
    lost = [summary.get(key) for key in ("failed_in_promotions", "failed_in_rollbacks")]
    failed = sum(each for each in lost if each is not None) if None not in lost else None
    rows = [{**row} for part in PARTS if part in results for row in results[part]["rows"]]
    harness.publish("release", rows, {"failed_requests": failed, **summary})
    if set(results) >= set(PARTS) and "KEEP" not in os.environ:
        shutil.rmtree(HOME, ignore_errors=True)


if __name__ == "__main__":
    main()
