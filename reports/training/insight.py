"""What the debugger and the profiler saw: findings with what to do, the rules, times, utilisation, flow."""

from __future__ import annotations

from typing import Any, Final

from markupsafe import Markup

from reports import Record
from reports.shared.charts import Line, heat_map, stack, timeline
from reports.shared.figures import rule_name, sentence, step_time
from reports.shared.markup import NOTHING, draw

_PARTS: Final = {
    "data": "waiting for data",
    "to_device": "to the device",
    "forward": "forward",
    "backward": "backward",
    "optimizer": "optimiser",
    "rest": "rest of the step",
}
_BETWEEN: Final = "between steps (validation, saving, rules)"
_FLOWS: Final = {
    "gradient": "Gradients: root mean square, by layer and step",
    "update": "Updates: how far a step moves a weight, relative to its size",
}


def findings(record: Record) -> Markup:
    """What was found, and what to change."""
    found = record.get("findings")
    return draw("training/insight.findings", [_finding(each) for each in found]) if found else NOTHING


def _finding(each: dict[str, Any]) -> dict[str, Any]:
    return {
        **each,
        "rule": rule_name(each["rule"]),
        "message": sentence(each["message"]),
        "change": sentence(each["change"]),
        "how": each.get("how"),
        "consequences": ", ".join(rule_name(name) for name in each["consequences"]),
    }


def rules(record: Record) -> Markup:
    """Every rule: how often it looked, how often it triggered."""
    watching = record.get("rules")
    return draw("training/insight.rules", [_rule(each) for each in watching]) if watching else NOTHING


def _rule(each: dict[str, Any]) -> tuple[dict[str, Any], str, str]:
    """The rule, its state, and the mark that colours this."""
    if each["explained_by"]:
        state, mark = f"follows from {rule_name(each['explained_by'])}", "follows"
    elif each["first_step"] is not None:
        state, mark = "found", "bad"
    elif each["triggered"]:
        state, mark = each["note"] or "found", "idle"
    elif each["evaluated"]:
        state, mark = "all well", "good"
    else:
        state, mark = each["note"] or "nothing to look at", "idle"
    return {**each, "rule": rule_name(each["rule"])}, state, mark


def breakdown(record: Record) -> Markup:
    """Where the time of the steps went."""
    steps = record.get("steps")
    if not steps:
        return NOTHING
    parts = [(label, name, steps["seconds"][name]) for name, label in _PARTS.items()]
    parts.append((_BETWEEN, "between", steps["between_seconds"]))
    wall, line = steps["wall_seconds"] or 1.0, steps["timeline"]
    series = [Line(label, name, line[name]) for name, label in _PARTS.items()]
    return draw(
        "training/insight.breakdown",
        steps,
        wall,
        step_time(steps),
        parts,
        stack([(label, name, seconds / wall) for label, name, seconds in parts]),
        timeline(line["step"], series, unit=" ms", stacked=True),
        record.get("operators"),
    )


def utilisation(record: Record) -> Markup:
    """How busy the machine was."""
    system = record.get("system")
    if not system:
        return NOTHING
    seconds = system["seconds"]
    busy = [Line("cores", "forward", system["cpu"]), Line("waiting for disk", "data", system["io_wait"])]
    if system["gpus"]:
        busy.insert(0, Line("GPU", "backward", system["gpu"]))
    memory = [Line("this job", "forward", [each / 1024 for each in system["process_mb"]])]
    memory.append(Line("machine", "rest", [each / 1024 for each in system["memory_mb"]]))
    if system["gpus"]:
        memory.append(Line("GPU", "backward", [each / 1024 for each in system["gpu_mb"]]))
    traffic = [Line("disk", "data", system["disk"]), Line("network", "to_device", system["net"])]
    return draw(
        "training/insight.utilisation",
        [
            ("Busy, percent", timeline(seconds, busy, unit="%", along=" s", most=100)),
            ("Memory, GiB", timeline(seconds, memory, unit=" GiB", along=" s")),
            ("Traffic, MB/s", timeline(seconds, traffic, unit=" MB/s", along=" s")),
        ],
        " · ".join(f"core {index}: {use:.0f}%" for index, use in enumerate(system["cores"][:64])),
    )


def flow(record: Record) -> Markup:
    """How gradients and updates run through the layers."""
    content = record.get("flow")
    if not content:
        return NOTHING
    figures = [
        (title, heat_map(content["layers"], content["steps"], content[name]))
        for name, title in _FLOWS.items()
        if name in content
    ]
    return draw("training/insight.flow", figures)
