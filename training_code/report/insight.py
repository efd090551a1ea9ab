"""What the debugger and the profiler saw: findings with what to do, the rules, times, utilisation, flow."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from training_code.report.charts import Series, heat_map, stack, timeline
from training_code.report.record import Record

_PARTS: Final = {
    "data": "waiting for data",
    "to_device": "to the device",
    "forward": "forward",
    "backward": "backward",
    "optimizer": "optimiser",
    "rest": "rest of the step",
}
_BETWEEN: Final = "between steps (validation, saving, rules)"


def findings(record: Record) -> str:
    """What was found, and what to change."""
    found = record.get("findings")
    if not found:
        return ""
    cards = "".join(_finding(each) for each in found)
    return f"<section class='found'><h2>What to change</h2>{cards}</section>"


def _finding(each: dict[str, Any]) -> str:
    where = "".join(f"<li><code>{escape(name)}</code></li>" for name in each["where"])
    how = f" <small>({escape(each['how'])})</small>" if each.get("how") else ""
    gain = f"<p class='gain'>Could gain: {escape(each['gain'])}{how}</p>" if each["gain"] else ""
    also = ", ".join(escape(words(name)) for name in each["consequences"])
    explained = f"<p class='note'>This also explains: {also}.</p>" if also else ""
    return (
        f"<article><h3>{escape(words(each['rule']))}<small>step {each['step']}</small></h3>"
        f"<p>{escape(sentence(each['message']))}</p><p class='do'>{escape(sentence(each['change']))}</p>"
        f"{gain}{f'<details><summary>Where</summary><ul>{where}</ul></details>' if where else ''}{explained}"
        "</article>"
    )


def rules(record: Record) -> str:
    """Every rule: how often it looked, how often it triggered."""
    if not record.get("rules"):
        return ""
    rows = "".join(_rule(each, record) for each in record["rules"])
    return (
        "<section><h2>Rules</h2><div class='scroll'><table class='plain'><thead><tr><th>rule</th>"
        "<th class='number'>evaluated</th><th class='number'>triggered</th><th>first at</th><th></th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div></section>"
    )


def _rule(each: dict[str, Any], record: Record) -> str:
    if each["explained_by"]:
        state, mark = f"follows from {words(each['explained_by'])}", "follows"
    elif each["first_step"] is not None:
        state, mark = "found", "bad"
    elif each["triggered"]:
        state, mark = each["note"] or "found", "idle"
    elif each["evaluated"]:
        state, mark = "all well", "good"
    else:
        state, mark = each["note"] or "nothing to look at", "idle"
    first = f"step {each['first_step']}" if each["first_step"] is not None else ""
    return (
        f"<tr><td>{escape(words(each['rule']))}</td><td class='number'>{each['evaluated']}</td>"
        f"<td class='number'>{each['triggered']}</td><td>{first}</td>"
        f"<td><span class='mark {mark}'>{escape(state)}</span></td></tr>"
    )


def breakdown(record: Record) -> str:
    """Where the time of the steps went."""
    steps = record.get("steps")
    if not steps:
        return ""
    parts = [(label, name, steps["seconds"][name]) for name, label in _PARTS.items()]
    parts.append((_BETWEEN, "between", steps["between_seconds"]))
    wall = steps["wall_seconds"] or 1.0
    rows = "".join(
        f"<tr><td><span class='key {name}'></span>{escape(label)}</td><td class='number'>{seconds:.2f} s</td>"
        f"<td class='number'>{100 * seconds / wall:.1f}%</td></tr>"
        for label, name, seconds in parts
    )
    line = steps["timeline"]
    series = [Series(label, name, line[name]) for name, label in _PARTS.items()]
    return (
        "<section><h2>Where the time went</h2>"
        f"<p class='note'>{steps['count']} steps in {wall:.1f} s. A step takes {usual(steps)}.</p>"
        f"{stack([(label, name, seconds / wall) for label, name, seconds in parts])}"
        f"<div class='pair'><table class='plain'><tbody>{rows}<tr class='sum'><td>all</td>"
        f"<td class='number'>{sum(each[2] for each in parts):.2f} s</td><td "
        "class='number'>100%</td></tr></tbody>"
        "</table><figure><figcaption>Milliseconds of a step, over the steps</figcaption>"
        f"{timeline(line['step'], series, unit=' ms', stacked=True)}</figure></div>"
        f"{_operators(record)}</section>"
    )


def usual(steps: Record) -> str:
    """How long a step takes; older records have no more than the median."""
    median = f"{steps['median_ms']:.0f} ms (median)"
    if "usual_ms" not in steps:
        return median
    low, high = steps["usual_ms"]
    first = f", the first {steps['left_out']} left out as warm-up" if steps["left_out"] else ""
    return f"{median}, nine in ten {low:.0f} to {high:.0f} ms{first}"


def _operators(record: Record) -> str:
    operators = record.get("operators")
    if not operators:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(each['operator'])}</code></td><td class='number'>{each['calls']}</td>"
        f"<td class='number'>{each['ms']:.1f}</td></tr>"
        for each in operators["top"][:12]
    )
    return (
        f"<details><summary>Dearest operators of the first {operators['steps']} steps ({operators['device']})"
        "</summary><table class='plain'><thead><tr><th>operator</th><th class='number'>calls</th>"
        f"<th class='number'>ms</th></tr></thead><tbody>{rows}</tbody></table><p class='note'>The whole "
        "trace is debug/profile/trace.json.gz in the job's output: open it in ui.perfetto.dev or chrome://tracing.</p>"
        "</details>"
    )


def utilisation(record: Record) -> str:
    """How busy the machine was."""
    system = record.get("system")
    if not system:
        return ""
    seconds = system["seconds"]
    busy = [Series("cores", "forward", system["cpu"]), Series("waiting for disk", "data", system["io_wait"])]
    if system["gpus"]:
        busy.insert(0, Series("GPU", "backward", system["gpu"]))
    memory = [Series("this job", "forward", [each / 1024 for each in system["process_mb"]])]
    memory.append(Series("machine", "rest", [each / 1024 for each in system["memory_mb"]]))
    if system["gpus"]:
        memory.append(Series("GPU", "backward", [each / 1024 for each in system["gpu_mb"]]))
    traffic = [Series("disk", "data", system["disk"]), Series("network", "to_device", system["net"])]
    cores = " · ".join(f"core {index}: {use:.0f}%" for index, use in enumerate(system["cores"][:64]))
    return (
        "<section><h2>Utilisation</h2><div class='trio'>"
        + _figure("Busy, percent", timeline(seconds, busy, unit="%", along=" s", most=100))
        + _figure("Memory, GiB", timeline(seconds, memory, unit=" GiB", along=" s"))
        + _figure("Traffic, MB/s", timeline(seconds, traffic, unit=" MB/s", along=" s"))
        + f"</div><p class='note'>Sampled every half second. On average {cores}.</p></section>"
    )


def _figure(caption: str, drawn: str) -> str:
    return f"<figure><figcaption>{caption}</figcaption>{drawn}</figure>"


def flow(record: Record) -> str:
    """How gradients and updates run through the layers."""
    content = record.get("flow")
    if not content:
        return ""
    figures = []
    for name, title in (
        ("gradient", "Gradients: root mean square, by layer and step"),
        ("update", "Updates: how far a step moves a weight, relative to its size"),
    ):
        if name in content:
            drawn = heat_map(content["layers"], content["steps"], content[name])
            figures.append(
                f"<figure><figcaption>{title}</figcaption><div class='scroll'>{drawn}</div></figure>"
            )
    return (
        "<section><h2>Gradient and weight flow</h2><p class='note'>One row per layer, the first at the top; "
        "steps run from left to right. Colours are powers of ten. Rows that fade towards the top are "
        "gradients that vanish; updates of about 10⁻³ are usual.</p>"
        f"<div class='pair'>{''.join(figures)}</div></section>"
    )


def words(rule: str) -> str:
    """A rule's name as a reader says it."""
    said = rule.replace("_", " ").replace("gpu", "GPU").replace("cpu", "CPU").replace("relu", "ReLU")
    return said.replace("io ", "I/O ")


def sentence(text: str) -> str:
    """A finding's or a verdict's words, as a sentence."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
