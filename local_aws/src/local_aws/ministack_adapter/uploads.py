"""S3's multipart uploads on the disk: a part that was acknowledged is there after a `kill -9`.

Each upload is a folder: `upload.json` says what it will be, `<number>.json` names the file with a part's
bytes. An upload or a part counts when its JSON file has its name. The bytes are read from the disk when the
upload is completed, not kept in memory besides.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ministack.services import s3

from local_aws.ministack_adapter import object_files

# An upload that nobody completes or aborts is kept so long, as a bucket's usual lifecycle rule says.
KEEP_SECONDS = 7 * 24 * 3600
_UPLOAD = "upload"

Operation = Callable[..., Any]


class _Part(dict[str, Any]):
    """A part's record; its bytes are read from the disk whenever somebody asks for them."""

    def __missing__(self, name: str) -> bytes:
        if name != "body":
            raise KeyError(name)
        body: bytes = self["file"].read_bytes()
        return body


def install(folder: Path) -> None:
    """Keep uploads in `folder`, and take up those that a former server left there."""
    s3._create_multipart_upload = partial(_create, s3._create_multipart_upload, folder)
    s3._upload_part = partial(_keep_part, s3._upload_part, folder)
    s3._upload_part_copy = partial(_keep_part, s3._upload_part_copy, folder)
    s3._complete_multipart_upload = partial(_complete, s3._complete_multipart_upload, folder)
    s3._abort_multipart_upload = partial(_abort, s3._abort_multipart_upload, folder)
    for home in folder.iterdir() if folder.is_dir() else ():
        _take_up(home)


def _create(create: Operation, folder: Path, bucket: str, key: str, headers: dict[str, str]) -> Any:
    answer = create(bucket, key, headers)
    found = re.search(rb"<UploadId>([^<]+)</UploadId>", answer[2])
    if answer[0] == 200 and found is not None:
        upload = found[1].decode()
        record = {name: value for name, value in s3._multipart_uploads[upload].items() if name != "parts"}
        try:
            _put(folder / upload, _UPLOAD, {"account": s3.get_account_id(), "record": record})
        except OSError:
            del s3._multipart_uploads[upload]
            raise
    return answer


def _keep_part(upload_part: Operation, folder: Path, bucket: str, key: str, *rest: Any) -> Any:
    query = rest[-2]
    upload, number = s3._qp(query, "uploadId"), s3._qp(query, "partNumber", "1")
    parts = s3._multipart_uploads.get(upload, {}).get("parts", {})
    before = parts.get(int(number)) if number.isdecimal() else None
    answer = upload_part(bucket, key, *rest)
    if answer[0] == 200:
        try:
            parts[int(number)] = _keep(folder / upload, number, parts[int(number)])
        except OSError:
            _restore(parts, int(number), before)
            raise
        if before is not None:
            before["file"].unlink(missing_ok=True)
    return answer


def _complete(
    complete: Operation, folder: Path, bucket: str, key: str, body: bytes, query: dict[str, Any], *rest: Any
) -> Any:
    upload = s3._qp(query, "uploadId")
    record = s3._multipart_uploads.get(upload)
    try:
        answer = complete(bucket, key, body, query, *rest)
    except OSError:  # the object could not be stored: its parts are still there for another try
        _restore(s3._multipart_uploads, upload, record)
        raise
    if answer[0] == 200 and upload:
        shutil.rmtree(folder / upload, ignore_errors=True)
    return answer


def _abort(abort: Operation, folder: Path, bucket: str, key: str, query: dict[str, Any]) -> Any:
    answer = abort(bucket, key, query)
    if answer[0] == 204:
        shutil.rmtree(folder / s3._qp(query, "uploadId"), ignore_errors=True)
    return answer


def _keep(home: Path, number: str, part: dict[str, Any]) -> _Part:
    """Write a part's bytes, then the record by which they count."""
    file = home / f"{number}-{uuid.uuid4().hex}"
    record = {name: value for name, value in part.items() if name != "body"}
    try:
        file.write_bytes(part["body"])
        _put(home, number, {**record, "file": file.name})
    except OSError:
        file.unlink(missing_ok=True)
        raise
    return _Part(record, file=file)


def _put(home: Path, name: str, document: dict[str, Any]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    object_files.write_alone(home / f"{name}.json", json.dumps(document).encode())


def _restore(records: Any, key: Any, before: Any) -> None:
    if before is None:
        records.pop(key, None)
    else:
        records[key] = before


def _take_up(home: Path) -> None:
    """An upload of a former server, with the parts it acknowledged; what nobody was told of is removed."""
    description = home / f"{_UPLOAD}.json"
    if not description.exists() or time.time() - description.stat().st_mtime > KEEP_SECONDS:
        shutil.rmtree(home, ignore_errors=True)
        return
    upload = json.loads(description.read_bytes())
    numbered = [path for path in home.glob("*.json") if path.stem.isdecimal()]
    records = {int(path.stem): json.loads(path.read_bytes()) for path in numbered}
    parts = {number: _Part(record, file=home / record["file"]) for number, record in records.items()}
    for path in set(home.iterdir()) - {description, *numbered, *(part["file"] for part in parts.values())}:
        path.unlink()
    s3._multipart_uploads._data[(upload["account"], home.name)] = {**upload["record"], "parts": parts}
