"""Rules for a setting's value: each says what is allowed, for the message and for the test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contract import instances

MOST_INSTANCE_TYPES = 5
# What all services take: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG_KEY = re.compile(r"(?!aws:|project$)[A-Za-z0-9 _.:/=+@-]{1,128}")
_TAG_TEXT = re.compile(r"[A-Za-z0-9 _.:/=+@-]{0,256}")
_MOST_TAGS = 40


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be: the words for the message and the test."""

    allowed: str
    accepts: Callable[[Any], bool]


def one_of(*choices: str | int) -> Rule:
    # bool is an int to Python, so `true` would pass for 1 without the type check.
    return Rule(
        "one of " + ", ".join(map(str, choices)), lambda value: type(value) in (str, int) and value in choices
    )


def whole_number(least: int, most: int, unit: str, zero: str = "") -> Rule:
    """`zero` is what 0 stands for, where that is no number of anything."""
    return Rule(
        f"a whole number of {unit} from {least} to {most}" + (f"; 0 is {zero}" if zero else ""),
        lambda value: type(value) is int and least <= value <= most,
    )


def switch() -> Rule:
    return Rule("true or false", lambda value: type(value) is bool)


def text(pattern: str, allowed: str) -> Rule:
    compiled = re.compile(pattern, re.ASCII)
    return Rule(allowed, lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None)


def fraction(what: str) -> Rule:
    return Rule(
        f"{what}, a number from 0 to 1", lambda value: type(value) in (int, float) and 0 <= value <= 1
    )


def setting(default: Any, rule: Rule) -> Any:
    return field(default=default, metadata={"rule": rule})


def _is_tags(value: Any) -> bool:
    if not isinstance(value, Mapping) or len(value) > _MOST_TAGS:
        return False
    pairs = [(key, text) for key, text in value.items() if isinstance(key, str) and isinstance(text, str)]
    return len(pairs) == len(value) and all(
        _TAG_KEY.fullmatch(k) and _TAG_TEXT.fullmatch(v) for k, v in pairs
    )


def several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


INSTANCE_RULE = text(instances.FORM, 'a SageMaker instance type such as "ml.c7i.large"')


def one_or_several(rule: Rule) -> Rule:
    """A value, or a list of some: the first that can be had is taken."""

    def accepts(value: Any) -> bool:
        if not isinstance(value, list):
            return rule.accepts(value)
        return (
            0 < len(value) <= MOST_INSTANCE_TYPES
            and all(rule.accepts(each) for each in value)
            and len(set(value)) == len(value)
        )

    most = MOST_INSTANCE_TYPES
    return Rule(f"{rule.allowed}, or a list of up to {most} different ones, the first choice first", accepts)


IMAGE_RULE = text(
    r"|\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})",
    'an ECR image with its tag or digest, such as "123456789012.dkr.ecr.us-east-1.amazonaws.com/name:tag"',
)


_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MOST_BUCKETS = 20


def _are_buckets(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MOST_BUCKETS
        and all(isinstance(each, str) and _BUCKET.fullmatch(each) for each in value)
        and len(set(value)) == len(value)
    )


BUCKETS_RULE = Rule(
    f'a list of up to {_MOST_BUCKETS} different names of S3 buckets, such as ["partner-pictures"]',
    _are_buckets,
)
TAGS_RULE = Rule(
    f'at most {_MOST_TAGS} tags such as {{"owner": "ann"}}, of letters, digits, spaces and _.:/=+@-, none of '
    'them "project"',
    _is_tags,
)
CRON_RULE = text(
    r"|cron\([^()]{9,60}\)", 'an EventBridge schedule such as "cron(0 19 ? * MON-FRI *)", or "" for none'
)
