"""Quotas: found by name in both of AWS's lists, and held against what the settings and recipes want."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cli.check import instances
from cli.check.line import Line, Status
from cli.check.quotas import Quotas
from cli.check.wanted import Wanted
from cli.commands.check import table
from cli.console import console
from cli.target import Target
from local_aws.quotas import profiles
from stacks.settings.load import load
from stacks.settings.serving import is_burstable
from tests.unit.cli.check.account import (
    ENDPOINT_TYPE,
    ENOUGH,
    TRAINING_TYPE,
    WHO,
    by_status,
    launch,
    look,
    only,
    quotas,
    wanted,
)

ENDPOINT = f"{ENDPOINT_TYPE} for endpoint usage"
TRAINING = f"{TRAINING_TYPE} for training job usage"

Ask = Callable[..., dict[Status, list[Line]]]


@pytest.fixture
def ask(target: Callable[..., Target]) -> Ask:
    """What a check says in an account with enough of everything but these."""

    def asked(check: Any, wants: Wanted, **values: float) -> dict[Status, list[Line]]:
        named = {name.replace("_", " "): value for name, value in values.items()}
        here = target("aws", service_quotas=quotas(ENOUGH | named))
        return by_status(check(look(here, wants)))

    return asked


def test_an_applied_value_counts_before_the_default_which_stands_in_where_there_is_none(
    target: Callable[..., Target],
) -> None:
    client = quotas({ENDPOINT: 0, TRAINING: 7}, {ENDPOINT: 3})
    found = Quotas.read(target("aws", service_quotas=client), WHO, "sagemaker")
    assert {name: quota.value for name, quota in found.by_name.items()} == {ENDPOINT: 3, TRAINING: 7}
    assert found.get("ml.c9z.huge for endpoint usage") is None


def test_how_to_ask_for_more_is_a_command_and_a_page(target: Callable[..., Target]) -> None:
    found = Quotas.read(target("aws", service_quotas=quotas({ENDPOINT: 0})), WHO, "sagemaker")
    quota = found.get(ENDPOINT)
    assert quota is not None
    more = found.more(quota, 2)
    assert f"--service-code sagemaker --quota-code {quota.code} --desired-value 2" in more
    assert (
        f"https://us-east-1.console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas/{quota.code}"
        in more
    )


@pytest.mark.parametrize(
    ("value", "status"), [(0, Status.WRONG), (1, Status.WRONG), (2, Status.LATER), (4, Status.OK)]
)
def test_an_endpoint_needs_room_twice_for_its_update_and_twice_all_of_it_when_scaled_out(
    ask: Ask, value: int, status: Status
) -> None:
    found = ask(instances.of_endpoint, wanted(), **{ENDPOINT: value})
    lines = [line for line in found[status] if ENDPOINT in line.looked_at]
    assert len(lines) == 1
    assert ("--desired-value" in lines[0].mend) == (status is not Status.OK)


@pytest.mark.parametrize(
    ("value", "status"), [(1, Status.WRONG), (2, Status.LATER), (5, Status.LATER), (6, Status.OK)]
)
def test_a_candidate_that_is_compared_has_instances_of_its_own(ask: Ask, value: int, status: Status) -> None:
    found = ask(instances.of_endpoint, wanted(shadow_instances=1), **{ENDPOINT: value})
    (line,) = [line for line in found[status] if ENDPOINT in line.looked_at]
    said = f"{line.looked_at} {line.wrong}"
    assert "6" in said
    assert "compared with a candidate" in said


def test_a_candidate_counts_where_the_endpoint_does_not_scale_too(ask: Ask) -> None:
    wants = wanted(shadow_instances=1, fixed_types=(ENDPOINT_TYPE,))
    assert "4 are needed" in only(ask(instances.of_endpoint, wants, **{ENDPOINT: 3})[Status.LATER]).wrong


@pytest.mark.parametrize("name", ["Number of instances across active endpoints"])
def test_all_endpoints_of_the_account_share_a_quota(ask: Ask, name: str) -> None:
    assert name in only(ask(instances.of_endpoint, wanted(), **{name: 1})[Status.WRONG]).looked_at


def test_one_endpoint_may_have_only_so_many_instances(ask: Ask) -> None:
    name = "Maximum number of instances per endpoint"
    wants = wanted(min_instances=2, max_instances=6)
    many = {ENDPOINT: 20, "Number of instances across active endpoints": 20}
    assert name in only(ask(instances.of_endpoint, wants, **many, **{name: 1})[Status.WRONG]).looked_at
    assert "scaled out to 6" in only(ask(instances.of_endpoint, wants, **many)[Status.LATER]).wrong
    assert not [line for line in ask(instances.of_endpoint, wanted())[Status.OK] if name in line.looked_at]


SERVERLESS = {"endpoint_types": (), "min_instances": 0, "max_instances": 0, "serverless_concurrency": 10}


def test_a_serverless_endpoint_is_held_against_the_number_and_the_concurrency_of_all(ask: Ask) -> None:
    wants, requests = wanted(**SERVERLESS), instances.SERVERLESS_CONCURRENCY
    assert len(ask(instances.of_endpoint, wants)[Status.OK]) == 2
    assert "10 are needed" in only(ask(instances.of_endpoint, wants, **{requests: 5})[Status.WRONG]).wrong
    found = ask(instances.of_endpoint, wants, **{instances.SERVERLESS_ENDPOINTS: 0})
    assert instances.SERVERLESS_ENDPOINTS in only(found[Status.WRONG]).looked_at


@pytest.mark.parametrize(("memory", "told"), [(3072, False), (4096, True)])
def test_memory_that_a_new_account_does_not_give_a_serverless_endpoint_is_told(
    ask: Ask, memory: int, told: bool
) -> None:
    found = ask(instances.of_endpoint, wanted(**SERVERLESS, serverless_memory_mb=memory))
    assert (Status.UNKNOWN in found) == told
    assert not told or "serverless_memory_mb" in only(found[Status.UNKNOWN]).mend


def test_without_room_for_one_training_on_the_settings_type_nothing_can_be_trained(ask: Ask) -> None:
    assert TRAINING in only(ask(instances.of_training, wanted(), **{TRAINING: 0})[Status.WRONG]).looked_at
    assert ask(instances.of_training, wanted()).keys() == {Status.OK}


def test_a_recipe_that_will_run_needs_all_its_trials_at_a_time(ask: Ask) -> None:
    wants = wanted(launches=(launch(parallel_jobs=2, instance_count=2),))
    assert ask(instances.of_training, wants, **{TRAINING: 4}).keys() == {Status.OK}
    line = only(ask(instances.of_training, wants, **{TRAINING: 3})[Status.WRONG])
    assert (TRAINING in line.looked_at, "4 are needed" in line.wrong) == (True, True)
    total = "Number of instances across all training jobs"
    assert total in only(ask(instances.of_training, wants, **{total: 3})[Status.WRONG]).looked_at


def test_a_recipe_nobody_asked_for_is_only_told_of(ask: Ask) -> None:
    big = launch("pets", instance_type="ml.g5.xlarge", asked_for=False)
    values = {"ml.g5.xlarge for training job usage": 0}
    found = ask(instances.of_training, wanted(launches=(big,)), **values)
    assert Status.WRONG not in found
    assert "pets" in only(found[Status.LATER]).wrong


def test_a_quota_that_several_use_has_one_line_which_asks_for_the_most_of_them(ask: Ask) -> None:
    big, small = launch("pets", parallel_jobs=4, asked_for=False), launch(parallel_jobs=2, asked_for=False)
    wants = wanted(launches=(small, big))
    for value, status in ((0, Status.WRONG), (1, Status.LATER), (3, Status.LATER), (4, Status.OK)):
        found = ask(instances.of_training, wants, **{TRAINING: value})
        (line,) = (each for some in found.values() for each in some if TRAINING in each.looked_at)
        assert line.status is status
        told = line.looked_at + line.wrong
        assert ("settings' type" in told) == (value in (0, 4))
        assert "pets" in told
    assert "--desired-value 4 " in ask(instances.of_training, wants, **{TRAINING: 1})[Status.LATER][0].mend


def test_of_a_recipe_that_will_run_only_its_own_quotas_are_told(ask: Ask) -> None:
    types = ("ml.g5.xlarge", "ml.g6.xlarge")
    wants = wanted(launches=(launch("pets", instance_type=types[0], instance_types=types),))
    found = ask(instances.of_training, wants, **of_types(dict.fromkeys(types, 2), "training job"))
    assert found.keys() == {Status.OK}
    told = "".join(line.looked_at for line in found[Status.OK])
    assert ("ml.g5.xlarge for training" in told, TRAINING in told) == (True, False)
    assert told.count("or as many of ml.g6.xlarge") == 1


def test_spot_has_quotas_of_its_own(ask: Ask) -> None:
    spot = f"{TRAINING_TYPE} for spot training job usage"
    wants = wanted(launches=(launch(spot=True),))
    assert spot in only(ask(instances.of_launch, wants, **{spot: 0, TRAINING: 9})[Status.WRONG]).looked_at
    total = "Number of instances across all spot training jobs"
    found = ask(instances.of_launch, wants, **{spot: 9, total: 1})
    assert total in only(found[Status.WRONG]).looked_at


def test_an_instance_type_that_no_quota_knows_is_unknown_and_not_enough(ask: Ask) -> None:
    found = ask(instances.of_endpoint, wanted(endpoint_types=("ml.c9z.huge",)))
    assert "ml.c9z.huge for endpoint usage" in only(found[Status.UNKNOWN]).looked_at


def test_a_launcher_that_does_not_say_its_machines_leaves_the_run_unknown(ask: Ask) -> None:
    assert "classifier up --target aws" in only(ask(instances.of_launch, wanted())[Status.UNKNOWN]).mend


OTHER, SMALL = "ml.m5.large", "ml.t2.medium"
TYPES = (ENDPOINT_TYPE, OTHER, SMALL)


def of_types(values: dict[str, float], use: str = "endpoint") -> dict[str, float]:
    return {f"{type_} for {use} usage": value for type_, value in values.items()}


def test_of_several_types_the_first_with_a_quota_is_looked_at(ask: Ask) -> None:
    wants = wanted(endpoint_types=TYPES)
    line = ask(instances.of_endpoint, wants, **of_types({ENDPOINT_TYPE: 0, OTHER: 4, SMALL: 2}))[Status.OK][0]
    assert (OTHER in line.looked_at, ENDPOINT_TYPE in line.looked_at) == (True, True)


def test_with_no_quota_of_any_type_one_line_asks_for_the_first_and_names_the_others(ask: Ask) -> None:
    values = of_types(dict.fromkeys(TYPES, 0))
    line = only(ask(instances.of_endpoint, wanted(endpoint_types=TYPES), **values)[Status.WRONG])
    assert ENDPOINT_TYPE in line.looked_at
    assert (OTHER in line.wrong, SMALL in line.wrong) == (True, True)


def test_an_endpoint_that_does_not_scale_needs_no_room_to(ask: Ask) -> None:
    wants = wanted(endpoint_types=(SMALL,), fixed_types=(SMALL,), max_instances=9)
    found = ask(instances.of_endpoint, wants, **of_types({SMALL: 2}))
    assert set(found) == {Status.OK}


def test_a_run_and_the_settings_trainings_take_the_first_type_with_a_quota(ask: Ask) -> None:
    types = (TRAINING_TYPE, "ml.m5.2xlarge")
    values = of_types({TRAINING_TYPE: 0, "ml.m5.2xlarge": 4}, "training job")
    wants = wanted(training_types=types, launches=(launch(instance_types=types),))
    for asked in (instances.of_training, instances.of_launch):
        assert set(ask(asked, wants, **values)) == {Status.OK}


def test_a_new_account_is_told_on_one_screen_what_to_ask_for(target: Callable[..., Target]) -> None:
    """With AWS's defaults, the settings' and one search: what `up` would refuse to start with."""
    defaults = {each.name: each.default for each in profiles.known() if each.service == "sagemaker"}
    here = target("aws", service_quotas=quotas(defaults))
    settings = load({}, "none")
    types = settings.training.instances
    wants = wanted(
        training_types=types,
        endpoint_types=settings.serving.instances,
        fixed_types=tuple(each for each in settings.serving.instances if is_burstable(each)),
        launches=(launch("finetune", instance_types=types, parallel_jobs=2),),
    )
    here_now = look(here, wants)
    lines = [*instances.of_endpoint(here_now), *instances.of_training(here_now)]
    wrong = [line for line in lines if line.status is Status.WRONG]
    assert 0 < len(wrong) <= 3
    assert all("request-service-quota-increase" in line.mend for line in wrong)
    # The endpoint's list ends with what a new account has.
    assert not [line for line in wrong if "endpoint" in line.looked_at]
    with console().capture() as captured:
        console().print(table(lines))
    assert len(captured.get().splitlines()) <= 40
