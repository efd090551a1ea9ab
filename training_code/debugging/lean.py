"""Importing smdebug without what it imports for parts that nothing here uses: half of its second."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Let packages that nobody has imported yet look empty to what is imported inside, and only there."""
    emptied = [name for name in names if name not in sys.modules]
    sys.modules |= {name: ModuleType(name) for name in emptied}
    try:
        yield
    finally:
        for name in emptied:
            del sys.modules[name]
