"""Archives from elsewhere: files and folders come out, below the folder; everything else is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.core import archives
from local_aws.core.archives import UnsafeArchiveError, is_tar, read_zip, unpack_tar, unpack_zip

Member = tuple[str, bytes, bytes, str]
"""Name, type, content, and where a link points."""


def file(name: str, content: bytes = b"x") -> Member:
    return name, tarfile.REGTYPE, content, ""


def folder(name: str) -> Member:
    return name, tarfile.DIRTYPE, b"", ""


def symlink(name: str, target: str) -> Member:
    return name, tarfile.SYMTYPE, b"", target


def hardlink(name: str, target: str) -> Member:
    return name, tarfile.LNKTYPE, b"", target


def tar(*members: Member, mode: int = 0o644) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as made:
        for name, kind, content, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size, member.mode = kind, target, len(content), mode
            made.addfile(member, io.BytesIO(content))
    return out.getvalue()


def realpath_hole() -> bytes:
    """CVE-2025-4517: a path too long for realpath, so that the filter takes a link that points out for one
    that stays.
    """
    long, steps = "d" * 247, "abcdefghijklmnop"
    members, path = [], ""
    for step in steps:
        members += [folder(f"{path}{long}"), symlink(f"{path}{step}", long)]
        path += f"{long}/"
    through = "/".join(steps) + "/" + "l" * 254
    members += [
        symlink(through, "../" * len(steps)),
        symlink("escape", f"{through}/../../outside"),
        file("escape/taken.txt"),
    ]
    return tar(*members)


def sparse() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as made:
        member = tarfile.TarInfo("holes")
        member.type = tarfile.GNUTYPE_SPARSE
        made.addfile(member)
    return out.getvalue()


def header(kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


HOSTILE: dict[str, bytes] = {
    "absolute": tar(file("/tmp/absolute")),
    "climbing": tar(file("../outside.txt")),
    "climbing from inside": tar(file("a/../../outside.txt")),
    "a folder outside": tar(folder("../outside")),
    "symbolic link": tar(symlink("link", "/etc/passwd")),
    "symbolic link that stays inside": tar(file("a"), symlink("link", "a")),
    "write through a link": tar(symlink("link", ".."), file("link/outside.txt")),
    "hard link": tar(file("a"), hardlink("b", "a")),
    "hard link to nothing": tar(hardlink("a", "missing")),
    "hard link out": tar(hardlink("a", "../../outside")),
    "realpath hole": realpath_hole(),
    "character device": tar(("tty", tarfile.CHRTYPE, b"", "")),
    "block device": tar(("disk", tarfile.BLKTYPE, b"", "")),
    "fifo": tar(("pipe", tarfile.FIFOTYPE, b"", "")),
    "unknown type": tar(("what", b"Z", b"", "")),
    "sparse file": sparse(),
    "the same file twice": tar(file("a"), file("a")),
    "the same file by another name": tar(file("a"), file("./a")),
    "a file where a folder is": tar(file("a/b"), file("a")),
    "a folder where a file is": tar(file("a"), file("a/b")),
    "a folder of a file's name": tar(file("a"), folder("a")),
    "no name": tar(file("")),
    "a name that is too long": tar(file("/".join(["n" * 200] * 8))),
    "a part that is too long": tar(file("n" * 300)),
    "too deep": tar(file("/".join("n" * 100))),
    "a name with NUL": gzip.compress(
        b"".join([header(tarfile.XHDTYPE, 15), b"15 path=a\0../b\n".ljust(512, b"\0"), header(b"0", 0)])
    ),
    "a header that claims gigabytes": gzip.compress(header(tarfile.XHDTYPE, 4 * 1024**3) + bytes(4096)),
    "a negative size": gzip.compress(header(b"0", -1024) + header(b"0", -1024) + bytes(4096)),
    "headers without end": gzip.compress(header(tarfile.GNUTYPE_LONGNAME, 0) * 5000 + bytes(1024)),
    "cut between members": gzip.compress(gzip.decompress(tar(file("a"), file("b")))[:1024]),
    "damage between members": gzip.compress(
        gzip.decompress(tar(file("a"), file("b")))[:1024] + b"?" * 512 + bytes(1024)
    ),
    "cut off": tar(file("a", bytes(range(256)) * 64))[:-40],
    "wrong checksum": tar(file("a"))[:-8] + bytes(8),
    "nothing": b"",
    "no archive": b"<html>404</html>",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_archive_with_anything_but_files_and_folders_inside_is_refused_whole(
    what: str, tmp_path: Path
) -> None:
    source, target = tmp_path / "model.tar.gz", tmp_path / "deep" / "model"
    source.write_bytes(HOSTILE[what])
    (tmp_path / "outside").mkdir()
    with pytest.raises(UnsafeArchiveError):
        unpack_tar(source, target)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == []
    assert list((tmp_path / "outside").iterdir()) == []
    assert not Path("/tmp/absolute").exists()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_files_and_folders_come_out_as_they_were_put_in(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    plain = gzip.decompress(tar(folder("./"), folder("./code"), file("./code/run.py", b"1" * 3_000_000)))
    (tmp_path / "a.tar").write_bytes(pack(plain))
    assert is_tar(tmp_path / "a.tar")
    unpack_tar(tmp_path / "a.tar", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["code", "run.py"]
    assert (tmp_path / "out/code/run.py").read_bytes() == b"1" * 3_000_000


def test_of_a_files_mode_only_whether_it_may_be_run_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar(file("tool"), mode=0o6777))
    unpack_tar(tmp_path / "a.tar", tmp_path / "out")
    mode = (tmp_path / "out/tool").stat().st_mode
    assert mode & stat.S_IXUSR
    assert not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX | stat.S_IWOTH)


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_MEMBERS"])
def test_an_archive_beyond_the_limits_is_refused(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.tar").write_bytes(tar(*[file(f"{number}", bytes(100_000)) for number in range(9)]))
    monkeypatch.setattr(archives, limit, {"MAX_BYTES": 500_000, "MAX_MEMBERS": 8}[limit])
    with pytest.raises(UnsafeArchiveError, match="more than"):
        unpack_tar(tmp_path / "a.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


SOUND = tar(folder("code"), file("code/a.py", b"pass"), file("model.json", b"{}"))


@given(st.data())
def test_a_changed_archive_gives_what_it_held_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    plain = bytearray(gzip.decompress(SOUND))
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    place = tmp_path_factory.mktemp("changed")
    (place / "a.tar").write_bytes(bytes(plain[: data.draw(st.integers(0, len(plain)))]))
    try:
        unpack_tar(place / "a.tar", place / "out")
    except UnsafeArchiveError:
        assert not (place / "out").exists()
    assert {path.name for path in place.iterdir()} <= {"a.tar", "out"}


def zipped(name: str, content: bytes = b"x", mode: int = stat.S_IFREG | 0o755) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        made.writestr(member, content)
    return out


@pytest.mark.parametrize(
    "source",
    [
        zipped("/tmp/absolute"),
        zipped("../outside.txt"),
        zipped("link", b"/etc/passwd", stat.S_IFLNK | 0o777),
        zipped("pipe", b"", stat.S_IFIFO),
        zipped("bomb", bytes(2_000_000)),
        io.BytesIO(zipped("cut", bytes(range(250)) * 9).getvalue()[:-90]),
        io.BytesIO(b"no archive"),
    ],
)
def test_a_zip_is_held_to_the_same(
    source: io.BytesIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(archives, "MAX_READ_BYTES", 1_000_000)
    with pytest.raises(UnsafeArchiveError):
        unpack_zip(source, tmp_path / "out")
    with pytest.raises(UnsafeArchiveError):
        list(read_zip(source))
    assert list(tmp_path.iterdir()) == []


def test_a_zips_files_come_out(tmp_path: Path) -> None:
    unpack_zip(zipped("bin/run.sh"), tmp_path / "out")
    assert (tmp_path / "out/bin/run.sh").read_bytes() == b"x"
    assert (tmp_path / "out/bin/run.sh").stat().st_mode & stat.S_IXUSR
    assert list(read_zip(zipped("bin/run.sh"))) == [("bin/run.sh", b"x")]
