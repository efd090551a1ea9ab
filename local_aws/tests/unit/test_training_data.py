"""Claims about what jobs read and write: channels, the cache, checkpoints, metrics in log lines."""

import errno
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_aws.core.errors import ValidationException
from local_aws.sagemaker.s3_files import FolderSync, S3Uri, UnsafeKeyError, inside
from local_aws.sagemaker.training import metrics
from local_aws.sagemaker.training.channels import ChannelCache, ChannelError, check, local_name
from local_aws.sagemaker.training.metrics import JobMetrics
from unit.jobs_side import MemoryS3, s3_channel


def never() -> bool:
    return False


def fill(cache: ChannelCache, s3: MemoryS3, folder: Path, uri: str, kind: str = "S3Prefix") -> list[str]:
    cache.fill(s3, s3_channel("train", uri, kind), folder, never)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_two_jobs_read_each_object_once_from_s3_and_share_its_bytes(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/a/1.jpg", b"picture")
    for job in ("one", "two"):
        assert fill(cache, s3, tmp_path / job, "s3://b/set") == ["a/1.jpg"]
    assert s3.reads == ["set/a/1.jpg"]
    assert (tmp_path / "one/a/1.jpg").samefile(tmp_path / "two/a/1.jpg")


def test_a_new_version_of_an_object_is_read_again(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/1.jpg", b"old one")
    fill(cache, s3, tmp_path / "one", "s3://b/set")
    s3.put("s3://b/set/1.jpg", b"new one")
    fill(cache, s3, tmp_path / "two", "s3://b/set")
    assert (tmp_path / "one/1.jpg").read_bytes() == b"old one"
    assert (tmp_path / "two/1.jpg").read_bytes() == b"new one"


def test_a_job_that_writes_into_its_input_spoils_no_other_job(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/1.jpg", b"original")
    fill(cache, s3, tmp_path / "one", "s3://b/set")
    file = tmp_path / "one/1.jpg"
    file.chmod(0o644)
    file.write_bytes(b"spoiled!")
    fill(cache, s3, tmp_path / "two", "s3://b/set")
    assert (tmp_path / "two/1.jpg").read_bytes() == b"original"


def test_a_role_that_may_not_read_fails_although_the_cache_has_the_file(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/1.jpg", b"picture")
    fill(cache, s3, tmp_path / "one", "s3://b/set")
    s3.denied.add("set/1.jpg")
    with pytest.raises(ChannelError, match=r"channel train: .*Forbidden"):
        fill(cache, s3, tmp_path / "two", "s3://b/set")


def vanishing(monkeypatch: pytest.MonkeyPatch, cache: ChannelCache) -> list[Path]:
    """From now on linking from the cache's own names fails once each, as Linux answers when another job
    replaces the name while it looks at the inode; which names were asked.
    """
    link, asked = os.link, []

    def link_or_vanish(source: Path, target: Path) -> None:
        if source.is_relative_to(cache.folder) and not source.name.endswith(".part"):
            asked.append(source)
            if asked.count(source) == 1:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source))
        link(source, target)

    monkeypatch.setattr(os, "link", link_or_vanish)
    return asked


def test_a_job_that_brings_an_object_while_another_does_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/1.jpg", b"picture")
    vanishing(monkeypatch, cache)
    assert fill(cache, s3, tmp_path / "one", "s3://b/set") == ["1.jpg"]
    assert (tmp_path / "one/1.jpg").read_bytes() == b"picture"


def test_a_cached_file_that_vanishes_before_it_is_linked_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/1.jpg", b"picture")
    fill(cache, s3, tmp_path / "one", "s3://b/set")
    asked = vanishing(monkeypatch, cache)
    assert fill(cache, s3, tmp_path / "two", "s3://b/set") == ["1.jpg"]
    assert len(asked) == 1
    assert (tmp_path / "two/1.jpg").read_bytes() == b"picture"
    assert s3.reads == ["set/1.jpg"] * 2


def test_two_jobs_on_fresh_data_at_the_same_moment_get_all_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job replaces the cached file between the two steps of the other's link(2): to look at the name's
    inode, and to refuse it (ENOENT) when no name is left to it.
    """
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/1.jpg", b"picture")
    both_missed, looked, replaced = threading.Barrier(2), threading.Event(), threading.Event()
    turn = iter((1, 2))
    replace, link = Path.replace, os.link

    def replace_in_turn(self: Path, target: Path) -> Path:
        both_missed.wait(10)
        second = next(turn) == 2
        if second:
            looked.wait(1)
        done = replace(self, target)
        if second:
            replaced.set()
        return done

    def link_in_two_steps(source: Path, target: Path) -> None:
        if source.name.endswith(".part"):
            return link(source, target)
        with source.open() as inode:
            looked.set()
            replaced.wait(10)
            if os.fstat(inode.fileno()).st_nlink == 0:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source))
        return link(source, target)

    monkeypatch.setattr(Path, "replace", replace_in_turn)
    monkeypatch.setattr(os, "link", link_in_two_steps)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda job: fill(cache, s3, tmp_path / job, "s3://b/set"), ("one", "two"))
        assert list(found) == [["1.jpg"], ["1.jpg"]]
    for job in ("one", "two"):
        assert (tmp_path / job / "1.jpg").read_bytes() == b"picture"


def test_a_download_cut_short_leaves_no_half_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/1.jpg", b"picture")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "utime", full)
    with pytest.raises(ChannelError, match="No space left on device"):
        fill(cache, s3, tmp_path / "one", "s3://b/set")
    assert [path for path in cache.folder.rglob("*") if path.is_file()] == []


def test_the_longest_unused_files_leave_the_cache_first(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    for name in ("1", "2"):
        s3.put(f"s3://b/{name}/x", b"12345678" + name.encode())
        fill(cache, s3, tmp_path / name, f"s3://b/{name}/")
    time.sleep(0.05)  # file times move in steps of a few milliseconds
    fill(cache, s3, tmp_path / "again", "s3://b/1/")  # used last
    cache.prune(limit=10)
    fill(cache, s3, tmp_path / "third", "s3://b/1/")
    fill(cache, s3, tmp_path / "fourth", "s3://b/2/")
    assert s3.reads == ["1/x", "2/x", "2/x"]


def test_a_manifest_chooses_the_files(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    for name in ("1.jpg", "cat/2.jpg", "3.jpg"):
        s3.put(f"s3://b/set/{name}", name.encode())
    s3.put("s3://b/manifest", json.dumps([{"prefix": "s3://b/set/"}, "1.jpg", "cat/2.jpg"]).encode())
    assert fill(cache, s3, tmp_path / "one", "s3://b/manifest", "ManifestFile") == ["1.jpg", "cat/2.jpg"]


def test_a_long_manifest_is_looked_up_in_lists_and_not_key_by_key(tmp_path: Path) -> None:
    s3, cache, names = MemoryS3(), ChannelCache(tmp_path / "cache"), [f"{n:03}.jpg" for n in range(100)]
    for name in [*names, "other.jpg"]:
        s3.put(f"s3://b/set/{name}", name.encode())
    s3.put(
        "s3://b/manifest", json.dumps([{"prefix": "s3://b/"}, *(f"set/{name}" for name in names)]).encode()
    )
    for job in ("one", "two"):
        assert fill(cache, s3, tmp_path / job, "s3://b/manifest", "ManifestFile") == [
            f"set/{name}" for name in names
        ]
    assert len(s3.heads) == 2  # of `fill`, which tries one with the role's rights
    assert sorted(s3.reads) == sorted(["manifest"] * 2 + [f"set/{name}" for name in names])


def test_a_long_manifest_of_a_missing_object_ends_the_job(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    for number in range(100):
        s3.put(f"s3://b/set/{number}", b"1")
    names = [*map(str, range(100)), "gone"]
    s3.put("s3://b/manifest", json.dumps([{"prefix": "s3://b/set/"}, *names]).encode())
    with pytest.raises(ChannelError, match=r"channel train: .*404"):
        fill(cache, s3, tmp_path / "one", "s3://b/manifest", "ManifestFile")


def test_a_role_that_may_list_nothing_gets_what_a_manifest_names(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    for number in range(100):
        s3.put(f"s3://b/set/{number}", b"1")
    s3.put("s3://b/manifest", json.dumps([{"prefix": "s3://b/set/"}, *map(str, range(100))]).encode())
    s3.may_list = False
    assert len(fill(cache, s3, tmp_path / "one", "s3://b/manifest", "ManifestFile")) == 100


@pytest.mark.parametrize(("own", "of_job"), [("FastFile", "File"), (None, "FastFile")])
def test_a_manifest_is_for_file_mode(own: str | None, of_job: str) -> None:
    channel = {
        **s3_channel("train", "s3://b/manifest", "ManifestFile"),
        **({"InputMode": own} if own else {}),
    }
    with pytest.raises(ValidationException, match="channel train has a ManifestFile in FastFile mode"):
        check([channel], of_job)
    check([{**channel, "InputMode": "File"}], of_job)


def test_a_manifest_that_is_none_is_named(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/manifest", b'["1.jpg"]')
    with pytest.raises(ChannelError, match=r"channel train: the manifest s3://b/manifest must be a list"):
        fill(cache, s3, tmp_path / "one", "s3://b/manifest", "ManifestFile")


def test_empty_objects_that_stand_for_folders_are_no_files(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/", b"")
    s3.put("s3://b/set/cat/", b"")
    s3.put("s3://b/set/cat/1.jpg", b"1")
    assert fill(cache, s3, tmp_path / "one", "s3://b/set/") == ["cat/1.jpg"]


def test_a_key_that_climbs_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    s3, cache = MemoryS3(), ChannelCache(tmp_path / "cache")
    s3.put("s3://b/set/../../etc/passwd", b"x")
    with pytest.raises(ChannelError, match="channel train: the S3 key"):
        fill(cache, s3, tmp_path / "one", "s3://b/set/")


@given(st.text(max_size=40))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path("/base/input")
    try:
        path = inside(folder, name)
    except UnsafeKeyError:
        return
    assert Path(os.path.normpath(path)).is_relative_to(folder)
    assert Path(os.path.normpath(path)) != folder


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(KEYS, KEYS)
def test_the_local_name_is_the_rest_of_the_key(prefix: str, rest: str) -> None:
    assert local_name(f"{prefix}/", f"{prefix}/{rest}") == rest
    assert (prefix + rest).endswith(local_name(prefix, prefix + rest))


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [
        ("s3://b", "b", ""),
        ("s3://b/a/b?c#d", "b", "a/b?c#d"),
        ("https://s3.us-east-1.amazonaws.com/b/a/c", "b", "a/c"),
        ("https://b.s3.us-east-1.amazonaws.com/a%20c", "b", "a c"),
    ],
)
def test_uris_of_every_style_name_bucket_and_key(uri: str, bucket: str, key: str) -> None:
    assert S3Uri.parse(uri) == S3Uri(bucket, key)


def test_only_new_and_changed_checkpoints_are_uploaded(tmp_path: Path) -> None:
    s3, sync = MemoryS3(), FolderSync(tmp_path, S3Uri("b", "checkpoints/one"))
    (tmp_path / "1.pt").write_text("1")
    assert sync.upload(lambda: s3) == 1
    assert sync.upload(lambda: s3) == 0
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/2.pt").write_text("2")
    (tmp_path / "1.pt").write_text("1 and more")
    assert sync.upload(lambda: s3) == 2
    assert s3.names("s3://b/") == ["checkpoints/one/1.pt", "checkpoints/one/deep/2.pt"]


def test_checkpoints_that_came_from_s3_are_not_sent_back(tmp_path: Path) -> None:
    s3, sync = MemoryS3(), FolderSync(tmp_path, S3Uri("b", "checkpoints/one/"))
    s3.put("s3://b/checkpoints/one/1.pt", b"1")
    s3.put("s3://b/checkpoints/one-more/2.pt", b"2")
    sync.download(s3)
    assert [path.name for path in tmp_path.iterdir()] == ["1.pt"]
    assert sync.upload(lambda: s3) == 0


DEFINITIONS = [
    {"Name": "loss", "Regex": "loss=([0-9.eE+-]+)"},
    {"Name": "accuracy", "Regex": "accuracy=([0-9.eE+-]+)"},
]


def test_metrics_are_the_numbers_the_patterns_find() -> None:
    found = JobMetrics(DEFINITIONS)
    found.read("epoch=1 loss=1e-3 accuracy=0.5")
    found.read("nothing here")
    found.read("epoch=2 loss=0.5 accuracy=.")
    assert found.values("loss") == [0.001, 0.5]
    assert found.values("accuracy") == [0.5]
    assert [(entry["MetricName"], entry["Value"]) for entry in found.final()] == [
        ("loss", 0.5),
        ("accuracy", 0.5),
    ]


def test_a_pattern_without_a_group_takes_the_whole_match() -> None:
    found = JobMetrics([{"Name": "number", "Regex": "[0-9]+"}])
    found.read("epoch 12")
    assert found.values("number") == [12.0]


def test_numbers_that_diverged_are_gaps() -> None:
    found = JobMetrics([{"Name": "loss", "Regex": "loss=(\\S+)"}])
    for value in ("nan", "inf", "-inf", "1e999", "2"):
        found.read(f"loss={value}")
    assert found.values("loss") == [2.0]


@given(st.text(max_size=200))
def test_no_log_line_breaks_the_metrics(line: str) -> None:
    JobMetrics([*DEFINITIONS, {"Name": "any", "Regex": "(.*)"}]).read(line)


def test_metric_definitions_that_cannot_work_are_refused_by_name() -> None:
    with pytest.raises(ValidationException, match="the metric loss is defined twice"):
        metrics.check([DEFINITIONS[0], DEFINITIONS[0]])
    with pytest.raises(ValidationException, match="of the metric loss is not valid"):
        metrics.check([{"Name": "loss", "Regex": "("}])
