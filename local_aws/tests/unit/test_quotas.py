"""Quotas: what the account has is listed as AWS lists it, and what goes beyond is refused in AWS's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws import quotas
from local_aws.__main__ import main
from local_aws.core import process
from local_aws.core.api import JsonService
from local_aws.core.errors import AwsError
from local_aws.quotas import book, names, profiles
from local_aws.quotas.profiles import VARIABLE, Profile
from local_aws.sagemaker.hosting import endpoint_records
from unit.jobs_side import JobsSide, make_jobs_side, training_request, tuning_request

FOREVER = "import time; time.sleep(1000)"
CONFIG = "plan"


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobsSide]:
    """The jobs of a new account."""
    monkeypatch.setenv(VARIABLE, Profile.NEW_ACCOUNT)
    side = make_jobs_side(tmp_path)
    side.images.programs["program"] = FOREVER
    yield side
    process.end()
    process.begin(tmp_path / "state" / "processes")


@pytest.fixture
def svc(jobs: JobsSide) -> JsonService:
    return quotas.service(jobs.aws)


def listed(svc: JsonService, operation: str, service: str = names.SAGEMAKER) -> dict[str, dict[str, Any]]:
    """Every quota of a service by its name, page by page."""
    found: dict[str, dict[str, Any]] = {}
    token: dict[str, str] = {}
    while True:
        page = svc.call(operation, {"ServiceCode": service, **token})
        found |= {each["QuotaName"]: each for each in page["Quotas"]}
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}


def grant(svc: JsonService, name: str, value: float) -> None:
    code = listed(svc, "ListAWSDefaultServiceQuotas")[name]["QuotaCode"]
    request = {"ServiceCode": names.SAGEMAKER, "QuotaCode": code, "DesiredValue": value}
    assert svc.call("RequestServiceQuotaIncrease", request)["RequestedQuota"]["Status"] == "APPROVED"


def test_a_quota_without_an_applied_value_is_among_the_defaults_only(svc: JsonService) -> None:
    name = names.endpoint("ml.c7i.large")
    defaults, applied = listed(svc, "ListAWSDefaultServiceQuotas"), listed(svc, "ListServiceQuotas")
    assert defaults[name]["Value"] == 0
    assert name not in applied
    assert applied[names.training("ml.m5.large", spot=True)]["Value"] == 4
    assert len({each["QuotaCode"] for each in defaults.values()}) == len(defaults) > 300
    request = {"ServiceCode": names.SAGEMAKER, "QuotaCode": defaults[name]["QuotaCode"]}
    with pytest.raises(AwsError, match="NoSuchResourceException"):
        svc.call("GetServiceQuota", request)
    assert svc.call("GetAWSDefaultServiceQuota", request)["Quota"]["QuotaName"] == name


def test_what_is_granted_is_the_value_from_then_on(jobs: JobsSide, svc: JsonService) -> None:
    name = names.endpoint("ml.c7i.large")
    grant(svc, name, 2)
    assert listed(svc, "ListServiceQuotas")[name]["Value"] == 2
    assert book.value(jobs.aws.store, names.SAGEMAKER, name) == 2
    with pytest.raises(AwsError, match="IllegalArgumentException"):
        grant(svc, name, 1)


def test_codebuild_has_quotas_too_and_an_unknown_service_none(svc: JsonService) -> None:
    assert listed(svc, "ListServiceQuotas", names.CODEBUILD)[names.builds("Linux/Small")]["Value"] == 1
    with pytest.raises(AwsError, match="NoSuchResourceException"):
        svc.call("ListServiceQuotas", {"ServiceCode": "nonsense"})
    with pytest.raises(AwsError, match="InvalidPaginationTokenException"):
        svc.call("ListServiceQuotas", {"ServiceCode": names.CODEBUILD, "NextToken": "abcd"})


def test_by_default_there_is_plenty(svc: JsonService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    applied = listed(svc, "ListServiceQuotas")
    assert applied.keys() == listed(svc, "ListAWSDefaultServiceQuotas").keys()
    assert min(each["Value"] for each in applied.values()) >= 100


def test_a_new_account_trains_nothing_on_demand(jobs: JobsSide) -> None:
    with pytest.raises(AwsError) as caught:
        jobs.train("j")
    assert (caught.value.code, caught.value.message) == (
        "ResourceLimitExceeded",
        "The account-level service limit 'ml.m5.large for training job usage' is 0 Instances, with current "
        "utilization of 0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to "
        "request an increase for this quota. If AWS Service Quotas is not available, contact AWS support to "
        "request an increase for this quota.",
    )
    with pytest.raises(AwsError, match=r"Requested resource not found\."):
        jobs.describe("j")


def test_spot_has_a_quota_of_its_own_and_running_jobs_use_it_up(jobs: JobsSide) -> None:
    spot = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
    }
    three = {"InstanceType": "ml.m5.large", "InstanceCount": 3, "VolumeSizeInGB": 1}
    jobs.aws.store.put(
        "training-job",
        "mine",
        {**training_request("mine", **spot), "ResourceConfig": three} | {"TrainingJobStatus": "InProgress"},
    )
    with pytest.raises(AwsError, match=r"spot training job usage' is 4 .*utilization of 3 .*delta of 2 "):
        jobs.train("j", ResourceConfig={**three, "InstanceCount": 2}, **spot)
    jobs.aws.store.update("training-job", "mine", lambda job: {**job, "TrainingJobStatus": "Completed"})
    with pytest.raises(AwsError, match=r"'ml.c7i.large for spot training job usage' is 0"):
        jobs.train("j", ResourceConfig={**three, "InstanceType": "ml.c7i.large"}, **spot)
    jobs.train("j", ResourceConfig={**three, "InstanceCount": 2}, **spot)


def test_all_types_together_have_a_quota_as_well(jobs: JobsSide, svc: JsonService) -> None:
    grant(svc, names.training("ml.m5.large", spot=False), 10)
    five = {"InstanceType": "ml.m5.large", "InstanceCount": 5, "VolumeSizeInGB": 1}
    with pytest.raises(AwsError, match="'Number of instances across all training jobs' is 4 Instances"):
        jobs.train("j", ResourceConfig=five)


def test_a_tuning_job_is_refused_for_what_its_parallel_trials_need(jobs: JobsSide, svc: JsonService) -> None:
    grant(svc, names.training("ml.m5.large", spot=False), 1)
    with pytest.raises(AwsError, match=r"is 1 Instances, .*utilization of 0 .*request delta of 2 Instances"):
        jobs.call("CreateHyperParameterTuningJob", **tuning_request("t", parallel=2))
    with pytest.raises(AwsError, match="can't find a tuning job"):
        jobs.describe_tuning("t")


def test_a_new_account_has_ten_trials_of_a_search_at_a_time(jobs: JobsSide, svc: JsonService) -> None:
    with pytest.raises(AwsError, match=f"'{names.PARALLEL_TRIALS}' is 10; MaxParallelTrainingJobs is 11"):
        jobs.call("CreateHyperParameterTuningJob", **tuning_request("t", jobs=20, parallel=11))
    grant(svc, names.PARALLEL_TRIALS, 20)
    with pytest.raises(AwsError, match="for training job usage"):  # the next quota there is
        jobs.call("CreateHyperParameterTuningJob", **tuning_request("t", jobs=20, parallel=11))


def endpoint(status: str = "InService", count: int = 1, pending: int = 0) -> dict[str, Any]:
    """A stored endpoint on ml.c7i.large, and the fleet that comes up beside it."""

    def fleet(size: int) -> dict[str, Any]:
        plan = {
            **{"name": "main", "container": None, "role_arn": None, "weight": 1.0, "instance_count": size},
            **{"instance_type": "ml.c7i.large", "health_check_seconds": 1.0},
        }
        variant = {"VariantName": "main", "DesiredInstanceCount": size, "DesiredWeight": 1.0}
        return {endpoint_records.PLAN: [plan], "ProductionVariants": [variant]}

    record = {"EndpointName": "e", "EndpointArn": "arn:e", "EndpointStatus": status, **fleet(count)}
    return {**record, endpoint_records.PENDING: fleet(pending)} if pending else record


def plan(jobs: JobsSide, count: int) -> None:
    """An endpoint configuration of so many instances without a model (inference components bring theirs)."""
    variant = {"VariantName": "main", "InstanceType": "ml.c7i.large", "InitialInstanceCount": count}
    role = "arn:aws:iam::000000000000:role/endpoint"
    request = {"EndpointConfigName": CONFIG, "ProductionVariants": [variant], "ExecutionRoleArn": role}
    jobs.call("CreateEndpointConfig", **request)


def test_a_new_account_serves_nothing_on_most_types(jobs: JobsSide) -> None:
    plan(jobs, 1)
    with pytest.raises(AwsError, match=r"'ml.c7i.large for endpoint usage' is 0 Instances, .*delta of 1 "):
        jobs.call("CreateEndpoint", EndpointName="e", EndpointConfigName=CONFIG)
    assert jobs.aws.store.get("endpoint", "e") is None


def test_an_update_needs_room_for_the_new_fleet_beside_the_old_one(jobs: JobsSide, svc: JsonService) -> None:
    grant(svc, names.endpoint("ml.c7i.large"), 3)
    plan(jobs, 2)
    jobs.aws.store.put("endpoint", "e", endpoint(count=2))
    with pytest.raises(AwsError, match=r"endpoint usage' is 3 .*utilization of 2 .*delta of 2 Instances"):
        jobs.call("UpdateEndpoint", EndpointName="e", EndpointConfigName=CONFIG)
    assert jobs.aws.store.get("endpoint", "e") == endpoint(count=2)


def test_a_fleet_that_comes_up_counts_and_scaling_out_asks_for_the_difference(
    jobs: JobsSide, svc: JsonService
) -> None:
    grant(svc, names.endpoint("ml.c7i.large"), 3)
    jobs.aws.store.put("endpoint", "other", endpoint(status="Updating", count=1, pending=1))
    jobs.aws.store.put("endpoint", "e", endpoint(count=1))
    wanted = [{"VariantName": "main", "DesiredInstanceCount": 3}]
    with pytest.raises(AwsError, match=r"endpoint usage' is 3 .*utilization of 3 .*delta of 2 Instances"):
        jobs.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=wanted)


def test_a_profile_nobody_knows_is_told_before_the_server_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "rich")
    with pytest.raises(SystemExit):
        main(["--state", str(tmp_path)])
    assert f"{VARIABLE}=rich is no profile" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_every_quota_has_a_name_and_a_code_of_its_own() -> None:
    known = profiles.known()
    assert len({(each.service, each.name) for each in known}) == len(known)
    assert len({each.code for each in known}) == len(known)
