"""What torch's profiler wrote down, packed, and its dearest operators: work for the side process.

Adding up a trace in Python takes seconds; the training process only writes it (`trace`).
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from training_code.profiling import OPERATORS, PLAIN_TRACE, TRACE

_SHOWN: Final = 20
_KERNELS: Final = frozenset({"kernel", "gpu_memcpy", "gpu_memset"})

Event = Mapping[str, Any]


def pack(folder: Path) -> None:
    """Compress the trace in `folder`, if there is one that is not yet, and list its dearest operators.

    Raises:
        OSError: it cannot be written.
    """
    for plain in folder.glob(PLAIN_TRACE.format(steps="*")):
        text = plain.read_bytes()
        try:
            content = {"steps": int(plain.name.split("-")[2]), **dearest(json.loads(text))}
            (folder / OPERATORS).write_text(json.dumps(content), encoding="utf-8")
        except ValueError as error:
            print(f"warning: no operators of the first steps, their trace is broken: {error}", flush=True)
        with gzip.open(folder / TRACE, "wb", compresslevel=5) as packed:
            packed.write(text)
        plain.unlink()


def dearest(trace: Mapping[str, Any]) -> dict[str, Any]:
    """The operators that took longest by themselves: on the GPU if there was one, else on the CPU.

    Args:
        trace: in Chrome's format, as torch's profiler writes it.
    """
    events = [each for each in trace["traceEvents"] if each.get("ph") == "X"]
    operators = [each for each in events if each.get("cat") == "cpu_op"]
    kernels = [each for each in events if each.get("cat") in _KERNELS]
    spent = _by_kernel(operators, kernels) if kernels else _by_themselves(operators)
    calls: defaultdict[str, int] = defaultdict(int)
    for each in operators:
        calls[each["name"]] += 1
    ranked = sorted(spent, key=lambda name: -spent[name])[:_SHOWN]
    return {
        "device": "gpu" if kernels else "cpu",
        "top": [
            {"operator": name, "calls": calls[name], "ms": round(spent[name] / 1000, 3)} for name in ranked
        ],
    }


def _by_themselves(operators: Iterable[Event]) -> dict[str, float]:
    """Microseconds of each operator, those of operators called by it left out."""
    spent: defaultdict[str, float] = defaultdict(float)
    running: dict[Any, list[tuple[float, str]]] = {}
    for each in sorted(operators, key=lambda event: (float(event["ts"]), -float(event["dur"]))):
        begun, lasted, name = float(each["ts"]), float(each["dur"]), str(each["name"])
        stack = running.setdefault(each["tid"], [])
        while stack and stack[-1][0] <= begun:
            stack.pop()
        if stack:
            spent[stack[-1][1]] -= lasted
        spent[name] += lasted
        stack.append((begun + lasted, name))
    return spent


def _by_kernel(operators: Iterable[Event], kernels: Iterable[Event]) -> dict[str, float]:
    """Microseconds that each operator's kernels took; a kernel of no operator goes by its own name."""
    names = {each["args"]["External id"]: str(each["name"]) for each in operators if _id(each) is not None}
    spent: defaultdict[str, float] = defaultdict(float)
    for each in kernels:
        spent[names.get(_id(each), str(each["name"]))] += float(each["dur"])
    return spent


def _id(event: Event) -> Any:
    return event.get("args", {}).get("External id")
