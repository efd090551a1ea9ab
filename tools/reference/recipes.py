"""docs/recipe-keys.md: every key of a recipe, with its default and what is allowed."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from contract.hyperparameters import BOUNDS, Hyperparameters
from functions.common.recipes.keys import REQUIRED, TABLES, Key
from functions.common.recipes.race import RaceTable
from functions.common.recipes.ranges import MAX_RANGES, MAX_VALUES, SCALES
from functions.common.recipes.tuning import Tuning
from tools.pins import ROOT
from tools.reference.text import field_words, table

EXAMPLE: Final = ROOT / "recipes" / "dogs-resnet18-cpu.toml"
MEANINGS: Final[Mapping[str, Mapping[str, Any]]] = tomllib.loads(
    (ROOT / "tools" / "reference" / "meanings.toml").read_text("utf-8")
)
"""Of keys that are no hyperparameters of a job: what each means."""
_OWN_DEFAULTS: Final[Mapping[str, type[Any]]] = {"race": RaceTable, "tuning": Tuning}
_SAME_KEY: Final = {id(bounds): name for name, bounds in BOUNDS.items()}
_WORDS: Final = field_words(Hyperparameters)
_DEFAULTS: Final = {each.name: each.default for each in dataclasses.fields(Hyperparameters)}

HEAD: Final = """\
# Recipe keys

Every key a recipe can have. This page is made from the code by `make reference`; [recipes](recipes.md)
explains how to choose.

A recipe is a TOML file in `recipes/`, or one of your own at `s3://<artifacts bucket>/recipes/<name>.toml`.
This one is `recipes/{name}`:

```toml
{text}```

Any key can be given for one run only:

```
classifier tune --recipe {stem} --dataset dogs --set training.epochs=2
```
"""


def page() -> str:
    """The whole page."""
    text = EXAMPLE.read_text("utf-8")
    parts = [HEAD.format(name=EXAMPLE.name, stem=EXAMPLE.stem, text=text)]
    for name, keys in TABLES.items():
        parts.append(f"## `[{name}]`\n\n{MEANINGS[name]['about']}\n")
        if name == "final":
            continue
        rows = [
            (f"`{key}`", _default(name, key), _allowed(spec), meaning(name, key))
            for key, spec in keys.items()
        ]
        parts.append(table(("key", "default", "allowed", "what it does"), rows))
        if name == "tuning":
            parts.append(_ranges())
    return "\n".join(parts)


def meaning(name: str, key: str) -> str:
    """What a key of a table means: a hyperparameter's own words, else those of meanings.toml."""
    told = str(MEANINGS[name].get(key, ""))
    return told or _WORDS.get(_SAME_KEY.get(id(TABLES[name][key]), ""), "")


def _allowed(spec: Key) -> str:
    return spec.allowed.replace(" | ", ", ")


def _default(name: str, key: str) -> str:
    if key in REQUIRED.get(name, ()):
        return "required"
    if told := MEANINGS["defaults"].get(name, {}).get(key):
        return str(told)
    if name in _OWN_DEFAULTS:
        found = next(each.default for each in dataclasses.fields(_OWN_DEFAULTS[name]) if each.name == key)
    else:
        found = _DEFAULTS.get(_SAME_KEY.get(id(TABLES[name][key]), ""))
    return "none" if found is None else f"`{json.dumps(found)}`"


def _ranges() -> str:
    """What [tuning.ranges.*] take, which are no keys of a fixed name."""
    rows = [
        ("`type`", "`continuous`, `integer` or `categorical`"),
        ("`min`, `max`", "the bounds, of a continuous or an integer range"),
        ("`scale`", ", ".join(f"`{each}`" for each in SCALES) + ": how values are drawn between the bounds"),
        ("`values`", f"1 to {MAX_VALUES} values, of a categorical range"),
    ]
    return (
        "### `[tuning.ranges.<hyperparameter>]`\n\n"
        "What is searched: a table for each key of `[model]`, `[data]` or `[training]` that has different\n"
        f"values in different trials, {MAX_RANGES} at most. Each of them must be allowed for that key.\n\n"
        + table(("key", "what it is"), rows)
    )
