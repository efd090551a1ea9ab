"""What stack operations under way have made, in our own durable store.

ministack's record of a stack is written once a second; a resource made since would belong to nobody after a
`kill -9`. So each is noted before it exists (by its name) and when it does (by its id), until the end of its
operation is on disk. What is left at a start was made by an operation that was cut short.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from local_aws.core.store import Store

_KIND = "stack-resource"


@dataclass(frozen=True)
class Made:
    """A resource which an operation of a stack has made."""

    stack: str
    stack_id: str
    logical_id: str
    resource_type: str
    physical_id: str
    properties: dict[str, Any]
    attributes: dict[str, Any]

    @property
    def key(self) -> str:
        """Its key in the store."""
        return f"{self.stack_id} {self.physical_id}"


class Journal:
    """The notes of all operations under way."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, made: Made, instead_of: str | None = None) -> None:
        """Note a resource that exists, or will in a moment; `instead_of` is the id it was announced by."""
        with self._store.transaction():
            if instead_of is not None:
                self.remove(made.stack_id, instead_of)
            self._store.put(_KIND, made.key, asdict(made))

    def remove(self, stack_id: str, physical_id: str) -> None:
        """Forget a resource that exists no more."""
        self._store.delete(_KIND, f"{stack_id} {physical_id}")

    def all(self) -> list[Made]:
        """All notes, the oldest first."""
        return [Made(**document) for document in self._store.list(_KIND)]

    def clear(self, stack_id: str) -> None:
        """Forget an operation that has ended."""
        for made in self.all():
            if made.stack_id == stack_id:
                self._store.delete(_KIND, made.key)
