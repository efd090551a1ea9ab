"""Which network a file of weights in S3 is of, told by its first megabyte: the names of its tensors.

A .safetensors file begins with them. torch's own begins with a pickle, in which they stand as text; it is
searched, never loaded.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from contract import networks
from functions.common.clients import client
from functions.common.errors import InvalidRecipe

_HEAD_BYTES: Final = 2**20
_LENGTH_BYTES: Final = 8
_MOST_HEADER: Final = 100_000_000
"""Of safetensors itself."""
# A letter may follow a name there, which is none of it.
_IN_PICKLE: Final = re.compile(rb"layer[1-4]\.\d+\.[a-z0-9.]+\.(?:weight|bias)")


def check(bucket: str, key: str, arch: str) -> None:
    """See that a file's weights are a network's. One that cannot be told is left to the job.

    Raises:
        InvalidRecipe: they are another network's, or the file is damaged.
    """
    head = _head(bucket, key)
    where = f"[model] weights = s3://{bucket}/{key}"
    names, said = _of_safetensors(head, where) if key.endswith(".safetensors") else (_in_pickle(head), {})
    found = said.get("arch") or networks.arch_of(names)
    same = found is not None and networks.untagged(found) == networks.untagged(arch)
    fits = same or not (found or networks.is_resnet(arch))
    if fits or not names:
        return
    what = f"of a {found}" if found else "of no ResNet"
    raise InvalidRecipe(
        f"{where}: these are the weights {what}, and a job trains a {arch}; "
        + (f"set arch = {found}, or use" if found in networks.names() else "use")
        + f" weights of a {arch} (in [final] too, where that sets another arch)"
    )


def licence(bucket: str, key: str) -> str:
    """The licence that a file says it has, as `classifier weights` writes it; empty where it says nothing."""
    if not key.endswith(".safetensors"):
        return ""
    return str(_of_safetensors(_head(bucket, key), key)[1].get("licence", ""))


def _head(bucket: str, key: str) -> bytes:
    with client("s3").get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_HEAD_BYTES - 1}")["Body"] as body:
        head: bytes = body.read()
    return head


def _of_safetensors(head: bytes, where: str) -> tuple[frozenset[str], dict[str, Any]]:
    """The names of the tensors, and what the file says of itself; nothing where the header is longer than
    what was read.

    https://github.com/huggingface/safetensors#format
    """
    length = int.from_bytes(head[:_LENGTH_BYTES], "little")
    if _HEAD_BYTES < length + _LENGTH_BYTES <= _MOST_HEADER and len(head) == _HEAD_BYTES:
        return frozenset(), {}
    try:
        tensors = dict(json.loads(head[_LENGTH_BYTES : _LENGTH_BYTES + length]))
        said = dict(tensors.pop("__metadata__", {}))
        return networks.plain_names(tensors), said
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidRecipe(
            f"{where}: the file is damaged, or is no safetensors file; classifier weights --file FILE puts "
            "one there and checks it"
        ) from None


def _in_pickle(head: bytes) -> frozenset[str]:
    """Names that stand in it as text; none where not the whole list of names is there."""
    names = networks.plain_names(each.decode() for each in _IN_PICKLE.findall(head))
    return names if any(name.startswith("layer4.") for name in names) else frozenset()
