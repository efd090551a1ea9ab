"""Names that several rooms spell alike."""

from __future__ import annotations

import pytest

from contract.names import DATASET, DATASET_VERSION


@pytest.mark.parametrize("name", ["digits", "datasets2", "my.datasets", "datasets-old", "A_b-c.9"])
def test_a_data_set_has_a_name(name: str) -> None:
    assert DATASET.fullmatch(name)
    found = DATASET_VERSION.fullmatch(f"{name}@12")
    assert found is not None
    assert (found["dataset"], found["number"]) == (name, "12")
    assert DATASET_VERSION.fullmatch(name)


@pytest.mark.parametrize("name", ["datasets", "", "a/b", ".a", "a@1", "a" * 64])
def test_what_is_no_name_of_a_data_set(name: str) -> None:
    assert not DATASET.fullmatch(name)


@pytest.mark.parametrize("name", ["a@", "a@0", "a@-1", "a@x", "datasets@1", "a@1@2"])
def test_what_is_no_version(name: str) -> None:
    assert not DATASET_VERSION.fullmatch(name)
