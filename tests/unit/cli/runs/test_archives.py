"""A job's output is unpacked without trusting it."""

from __future__ import annotations

import contextlib
import gzip
import io
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cli.runs.archives
from cli.runs.archives import UnsafeArchive, unpack


def tar(*members: tuple[str, bytes, str], content: bytes = b"", mode: int = 0o644) -> bytes:
    """Members by name, type and where a link points."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as made:
        for name, kind, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, target, mode
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            made.addfile(member, io.BytesIO(content))
    return out.getvalue()


def header(kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


FILE = tarfile.REGTYPE
HOSTILE = {
    "absolute": tar(("/tmp/absolute", FILE, "")),
    "climbing": tar(("a/../../outside.txt", FILE, "")),
    "symbolic link": tar(("link", tarfile.SYMTYPE, "a")),
    "hard link to nothing": tar(("a", tarfile.LNKTYPE, "missing")),
    "device": tar(("disk", tarfile.BLKTYPE, "")),
    "fifo": tar(("pipe", tarfile.FIFOTYPE, "")),
    "sparse": tar(("holes", tarfile.GNUTYPE_SPARSE, "")),
    "twice": tar(("a", FILE, ""), ("./a", FILE, "")),
    "file below a file": tar(("a", FILE, ""), ("a/b", FILE, "")),
    "long name": tar(("/".join(["n" * 200] * 8), FILE, "")),
    "deep": tar(("/".join("n" * 100), FILE, "")),
    "huge header": gzip.compress(header(tarfile.XHDTYPE, 4 * 1024**3) + bytes(4096)),
    "negative size": gzip.compress(header(b"0", -1024) * 2 + bytes(4096)),
    "headers without end": gzip.compress(header(tarfile.GNUTYPE_LONGNAME, 0) * 5000 + bytes(1024)),
    "damaged": gzip.compress(header(b"0", 0) + b"?" * 512 + bytes(1024)),
    "cut off": tar(("a", FILE, ""), content=bytes(range(256)) * 64)[:-40],
    "no archive": b"<html>404</html>",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_output_with_anything_but_files_and_folders_inside_is_refused(what: str, tmp_path: Path) -> None:
    (tmp_path / "output.tar.gz").write_bytes(HOSTILE[what])
    with pytest.raises(UnsafeArchive):
        unpack(tmp_path / "output.tar.gz", tmp_path / "in" / "job")
    assert not list(tmp_path.rglob("outside.txt"))
    assert not Path("/tmp/absolute").exists()


def test_an_output_comes_out_without_its_modes(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(tar(("./a/b", FILE, ""), content=b"1" * 3_000_000, mode=0o6777))
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert (tmp_path / "out/a/b").read_bytes() == b"1" * 3_000_000
    assert not (tmp_path / "out/a/b").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR | stat.S_IWOTH)


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_MEMBERS"])
def test_an_output_beyond_the_limits_is_refused(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = tar(*[(str(number), FILE, "") for number in range(9)], content=bytes(100_000))
    (tmp_path / "a.tar.gz").write_bytes(many)
    monkeypatch.setattr(cli.runs.archives, limit, {"MAX_BYTES": 500_000, "MAX_MEMBERS": 8}[limit])
    with pytest.raises(UnsafeArchive, match=r"more than|too large"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


SOUND = gzip.decompress(tar(("a", tarfile.DIRTYPE, ""), ("a/b", FILE, ""), content=b"pass"))


@given(st.data())
def test_a_changed_output_is_unpacked_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    plain = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    place = tmp_path_factory.mktemp("changed")
    (place / "a.tar.gz").write_bytes(gzip.compress(bytes(plain)))
    with contextlib.suppress(UnsafeArchive):
        unpack(place / "a.tar.gz", place / "out")
    assert {path.name for path in place.iterdir()} <= {"a.tar.gz", "out"}
