"""Writes down the instance types that botocore knows, for contract/instances.py:
`python -m tools.instance_types`, after botocore was renewed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from tools.pins import ROOT

WRITTEN: Final = ROOT / "contract" / "instance_types.json"
# Tuning jobs and trainings take the same, and so do endpoints and model packages.
SHAPES: Final = {"training": "TrainingInstanceType", "hosting": "ProductionVariantInstanceType"}

Sizes = Mapping[str, Mapping[str, list[str]]]


def of_botocore() -> Sizes:
    """By use and family, the sizes of the installed botocore's enums."""
    import botocore.session

    model = botocore.session.get_session().get_service_model("sagemaker")
    found: dict[str, dict[str, list[str]]] = {}
    for kind, shape in SHAPES.items():
        for instance_type in model.shape_for(shape).enum:
            _, family, size = instance_type.split(".")
            found.setdefault(kind, {}).setdefault(family, []).append(size)
    return found


def text(sizes: Sizes) -> str:
    """As JSON, a family on a line, so that a new one is a line of a diff."""
    kinds = []
    for kind, families in sizes.items():
        lines = [f'  "{family}": {json.dumps(sorted(some))}' for family, some in sorted(families.items())]
        kinds.append(f' "{kind}": {{\n' + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(kinds) + "\n}\n"


def main() -> None:
    WRITTEN.write_text(text(of_botocore()), encoding="utf-8")


if __name__ == "__main__":
    main()
