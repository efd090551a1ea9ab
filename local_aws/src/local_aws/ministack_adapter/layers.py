"""Lambda's state without its layers' bytes: they lie beside the state, as ministack keeps functions' code.

One of the CDK's layers holds the AWS CLI: inside the state it made each snapshot 22 MB, which took half a
second. `prune` removes code that the state on the disk does not name any more. ministack removes it
earlier, and a `kill -9` would then leave a state that names code which is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ministack.services import lambda_svc

_BYTES = "_zip_data"
_prune_all_but = lambda_svc._prune_orphan_code_blobs
_functions: set[str] = set()
# Layers' bytes by id, with where they lie: kept, so that an id stays theirs, and hashed once.
_layers: dict[int, tuple[bytes, str]] = {}


def install() -> None:
    """Put our state in the place of ministack's."""
    get_state, load = lambda_svc.get_state, lambda_svc.load_persisted_state

    def get_slim_state() -> Any:
        state = get_state()
        versions = [version for version in _versions(state) if isinstance(version[_BYTES], bytes)]
        laid = {id(version[_BYTES]): _laid(version[_BYTES]) for version in versions}
        for version in versions:
            version[_BYTES] = {lambda_svc._BLOB_REF_KEY: laid[id(version[_BYTES])][1]}
        _layers.clear()
        _layers.update(laid)
        return state

    def load_slim_state(state: Any) -> None:
        for version in _versions(state):
            if isinstance(version[_BYTES], dict):
                version[_BYTES] = lambda_svc._read_code_blob(version[_BYTES][lambda_svc._BLOB_REF_KEY])
        load(state)

    lambda_svc._prune_orphan_code_blobs = _remember
    lambda_svc.get_state, lambda_svc.load_persisted_state = get_slim_state, load_slim_state


def prune() -> None:
    """Remove the code that the state which was made last does not name; that state must be on the disk."""
    _prune_all_but(_functions | {place for _, place in _layers.values()})


def _remember(referenced: set[str]) -> None:
    _functions.clear()
    _functions.update(referenced)


def _versions(state: Any) -> Iterator[dict[str, Any]]:
    for layer in state["layers"]._data.values():
        for version in layer["versions"]:
            if _BYTES in version:
                yield version


def _laid(content: bytes) -> tuple[bytes, str]:
    return _layers.get(id(content)) or (content, lambda_svc._write_code_blob(content))
