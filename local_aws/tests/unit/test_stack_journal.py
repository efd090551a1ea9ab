"""What a stack operation notes before, while and after it makes a resource."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws.cloudformation import sagemaker
from local_aws.cloudformation.stack import Stack
from local_aws.core.store import Store
from local_aws.ministack_adapter import stacks
from local_aws.ministack_adapter.journal import Journal

TYPE = "Test::Thing"
ARN = "arn:thing/name"


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    store = Store(tmp_path / "local_aws.db")
    made = Journal(store)
    monkeypatch.setattr(stacks, "_journal", made)
    token = stacks._current.set(stacks.CurrentStack("stack", "stack-id", None))
    yield made
    stacks._current.reset(token)
    store.close()


def created(create: Callable[..., Any]) -> Any:
    return stacks._noted(TYPE, {"create": create, "delete": lambda *_: None})["create"]


def ids(journal: Journal) -> list[str]:
    return [made.physical_id for made in journal.all()]


def test_a_resource_is_noted_by_its_name_before_it_exists_and_by_its_id_after(journal: Journal) -> None:
    noted_while_making: list[list[str]] = []

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        stacks.announce("name")
        noted_while_making.append(ids(journal))
        return ARN, {}

    created(create)("Logical", {"Key": "value"}, "stack")

    assert noted_while_making == [["name"]]
    assert ids(journal) == [ARN]
    assert journal.all()[0].properties == {"Key": "value"}


def test_nothing_stays_noted_of_a_resource_that_could_not_be_made(journal: Journal) -> None:
    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        stacks.announce("name")
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        created(create)("Logical", {}, "stack")
    assert ids(journal) == []


class FakeSageMaker:
    """Knows which groups exist; creating one tells what was announced before."""

    def __init__(self, existing: set[str]) -> None:
        import botocore.session

        session = botocore.session.get_session()
        self.meta = type("Meta", (), {"service_model": session.get_service_model("sagemaker")})
        self.existing = existing

    def describe_model_package_group(self, ModelPackageGroupName: str) -> dict[str, str]:
        if ModelPackageGroupName in self.existing:
            return {}
        error = {"Code": "ValidationException", "Message": "The group does not exist."}
        raise ClientError({"Error": error}, "DescribeModelPackageGroup")

    def create_model_package_group(self, ModelPackageGroupName: str) -> dict[str, str]:
        return {"ModelPackageGroupArn": f"arn/{ModelPackageGroupName}"}


@pytest.mark.parametrize(("existing", "announced"), [(set(), ["group"]), ({"group"}, [])])
def test_only_a_name_that_is_free_is_announced(existing: set[str], announced: list[str]) -> None:
    client = FakeSageMaker(existing)
    aws: Any = type("Aws", (), {"client": lambda *_, **__: client})()
    said: list[str] = []
    stack = Stack(aws, role=lambda: None, announce=said.append)

    sagemaker.create_resource(
        stack, "ModelPackageGroup", "Group", {"ModelPackageGroupName": "group"}, "stack"
    )

    assert said == announced
