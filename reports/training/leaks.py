"""What a report has of pictures that are in two splits."""

from __future__ import annotations

from typing import cast

from contract.evaluation import MAX_LEAKED_PAIRS, Leaked
from reports import Record


def of(record: Record) -> Leaked:
    """The leaks of a record; one that is older has the number of test pictures alone."""
    leaked = record.get("leaked") or 0
    if isinstance(leaked, dict):
        return cast(Leaked, leaked)
    return {"test_in_train": int(leaked), "pairs": [], "valid_in_train": 0, "test_in_valid": 0}


def sentences(record: Record) -> list[str]:
    """What to mind of them; nothing where there are none."""
    leaked = of(record)
    found = []
    if leaked["test_in_train"]:
        found.append(
            f"Mind: {leaked['test_in_train']} test pictures are also training pictures, which flatters it: "
            "the quality gate refuses such a model."
        )
    if leaked["valid_in_train"]:
        found.append(
            f"Mind: {leaked['valid_in_train']} validation pictures are also training pictures, so its best "
            "epoch may be another."
        )
    if leaked["test_in_valid"]:
        found.append(f"Mind: {leaked['test_in_valid']} test pictures are also validation pictures.")
    return found


def named(record: Record) -> list[tuple[str, str]]:
    """The first test pictures that are training pictures, with the training picture each is."""
    pairs = of(record)["pairs"][:MAX_LEAKED_PAIRS]
    return [(f"test/{test}", f"train/{train}") for test, train in pairs]
