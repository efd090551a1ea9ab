"""docs/settings.md: every setting of `stacks/settings`, with its default and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final, get_type_hints

from stacks.settings.schema import Settings
from stacks.settings.serving import DEFAULT_SERVING_INSTANCES
from tools.reference.text import class_words, field_words, table

HEAD: Final = """\
# Settings

Everything you can choose about a deployment. This page is made from the code by `make reference`.

Settings stand in `cdk.json`, in `context`, under `classifier`. What you leave out has the default below.

```json
{
  "context": {
    "classifier": {
      "project": "pets",
      "alert_email": "owner@example.org",
      "tags": {"owner": "vision"},
      "serving": {"max_instances": 4}
    }
  }
}
```

`classifier up` deploys what you changed. An unknown setting, or a value that is not allowed, is refused
before anything is deployed. The message names the setting and what is allowed.

To use another file: `CLASSIFIER_CONFIG=stacks/samples/serverless.json classifier up`. Such a file holds only
what stands under `classifier` above; `stacks/samples/` has examples. For several deployments, such as one for
testing and one for production, see [several environments](environments.md).
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections("", Settings), _instances()])


def _sections(path: str, kind: type[Any]) -> Iterator[str]:
    """A class of settings, then those inside it."""
    hints = get_type_hints(kind)
    nested = [each for each in fields(kind) if is_dataclass(hints[each.name])]
    words = field_words(kind)
    rows = [
        (f"`{each.name}`", _default(each), each.metadata["rule"].allowed, words.get(each.name, ""))
        for each in fields(kind)
        if each not in nested
    ]
    yield f"## {f'`{path}`' if path else 'The deployment'}\n"
    about = class_words(kind)
    if path and about:
        yield f"{about}\n"
    yield table(("setting", "default", "allowed", "what it does"), rows)
    for each in nested:
        yield from _sections(f"{path}.{each.name}".lstrip("."), hints[each.name])


def _default(item: Field[Any]) -> str:
    """As it would stand in the file."""
    value = item.default if item.default is not MISSING else item.default_factory()  # type: ignore[misc]
    return f"`{json.dumps(value)}`"


def _instances() -> str:
    """What an empty `serving.instance_type` stands for."""
    lines = [
        f"* `{flavour}`: {', '.join(f'`{each}`' for each in types)}"
        for flavour, types in DEFAULT_SERVING_INSTANCES.items()
    ]
    return "## Instance types by default\n\n`serving.instance_type` of an endpoint, by its `flavour`:\n\n" + (
        "\n".join(lines) + "\n"
    )
