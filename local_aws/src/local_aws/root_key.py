"""The root user's access key: random, made once for a state folder and kept there.

Whoever knows it may do everything here, run code included, so it is nobody's but the owner's: a file that
only he can read, beside the state that it opens.
"""

from __future__ import annotations

import json
import os
import secrets
import string
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

FILE = "root-credentials.json"
# Nothing of AWS begins so: the key can never be taken for a real account's.
_PREFIX = "LOCALAWS"
_ID_LETTERS = string.ascii_uppercase + "234567"
_SECRET_BYTES = 30  # 40 characters, as AWS's own


class UnusableRootKeyError(Exception):
    """The key's file does not hold a key; the message says what to do."""


@dataclass(frozen=True)
class RootKey:
    """An access key: its public id and its secret."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which every AWS client takes it."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}


def of(state: Path) -> RootKey:
    """The key of a state folder; the first call makes it.

    Raises UnusableRootKeyError, and OSError if the folder cannot be written.
    """
    path = state / FILE
    if not path.exists():
        _write(path, _new())
    path.chmod(0o600)
    try:
        document = json.loads(path.read_text())
        key = RootKey(document["AccessKeyId"], document["SecretAccessKey"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnusableRootKeyError(f"{path} holds no access key; remove it, and a new one is made") from error
    return key


def _new() -> RootKey:
    name = "".join(secrets.choice(_ID_LETTERS) for _ in range(20 - len(_PREFIX)))
    return RootKey(_PREFIX + name, secrets.token_urlsafe(_SECRET_BYTES))


def _write(path: Path, key: RootKey) -> None:
    """Whole or not at all, and never readable by others in between."""
    document = {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}-")
    with os.fdopen(handle, "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
