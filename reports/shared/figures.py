"""A training's figures in words, as its page and a comparison say them."""

from __future__ import annotations

import math
from typing import Any

from reports import Record


def interval(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share seen in `count` trials (Wilson 1927)."""
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return (middle - spread) / scale, (middle + spread) / scale


def speed(rates: Record | None) -> str:
    """How many training pictures a second an epoch got through; older records do not tell."""
    if not rates:
        return ""
    middle, low, high = (f"{rates[key]:.0f}" for key in ("middle", "low", "high"))
    if rates["epochs"] == 1:
        return f"{middle} images/s in its one epoch"
    first = ", the first left out" if rates["left_out"] else ""
    return f"{middle} images/s in the median of {rates['epochs']} epochs, {low} to {high}{first}"


def cost(record: Record) -> str | None:
    """What the job costs; nothing when the price is not known.

    A job cannot know from inside for how long it is billed: its own time is the least. The billed figure is
    there when the page is drawn after the job has ended, by `classifier report`.
    """
    billed = record.get("billed")
    if billed:
        return dollars(billed["usd"])
    if not record.get("hourly_usd"):
        return None
    return f"over {dollars(record['seconds'] / 3600 * record['hourly_usd'])}"


def duration(seconds: float) -> str:
    """A time as a reader says it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def value_text(value: Any) -> str:
    """A value as a reader needs it."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def step_time(steps: Record) -> str:
    """How long a step takes; older records have no more than the median."""
    median = f"{steps['median_ms']:.0f} ms (median)"
    if "usual_ms" not in steps:
        return median
    low, high = steps["usual_ms"]
    first = f", the first {steps['left_out']} left out as warm-up" if steps["left_out"] else ""
    return f"{median}, nine in ten {low:.0f} to {high:.0f} ms{first}"


def rule_name(rule: str) -> str:
    """The name of a debugger's or a profiler's rule as a reader says it."""
    name = rule.replace("_", " ").replace("gpu", "GPU").replace("cpu", "CPU").replace("relu", "ReLU")
    return name.replace("io ", "I/O ")


def sentence(text: str) -> str:
    """A finding's or a verdict's words, as a sentence."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def dollars(usd: float) -> str:
    """A price; below ten cents its fractions matter."""
    return f"${usd:.2f}" if usd >= 0.1 else f"${usd:.4f}"
