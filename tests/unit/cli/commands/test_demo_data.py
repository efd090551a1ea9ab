"""The demo's pictures are scikit-learn's digits, the same every time."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_digits

from cli.commands.demo_data import write_digits
from cli.data.folder import examine


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_all_1797_digits_are_there_in_every_split_and_class(digits: Path) -> None:
    assert len(contents(digits)) == 1797
    counts = {split: len(list((digits / split).rglob("*.png"))) for split in ("train", "valid", "test")}
    assert counts == {"train": 1259, "valid": 269, "test": 269}
    for split in counts:
        assert sorted(path.name for path in (digits / split).iterdir()) == [str(digit) for digit in range(10)]


def test_a_picture_is_the_digit_enlarged(digits: Path) -> None:
    (path,) = digits.rglob("0007.png")
    source = load_digits()
    assert path.parent.name == str(source.target[7])
    picture = Image.open(path)
    assert picture.size == (32, 32)
    for row in range(8):
        for column in range(8):
            assert picture.getpixel((4 * column + 1, 4 * row + 2)) == round(
                source.images[7][row][column] * 255 / 16
            )


def test_writing_again_changes_nothing_and_mends_what_is_missing(digits: Path) -> None:
    before = contents(digits)
    (digits / next(iter(before))).unlink()
    write_digits(digits)
    assert contents(digits) == before


def test_two_that_write_at_once_give_whole_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, met = Image.Image.save, threading.Barrier(2)
    turns = threading.local()

    def slow(self: Image.Image, path: Path, **options: str) -> None:
        save(self, path, **options)  # type: ignore[arg-type]
        turns.count = getattr(turns, "count", 0) + 1
        if turns.count <= 20:  # both have written the same picture, neither has put it in its place
            met.wait(20)

    monkeypatch.setattr(Image.Image, "save", slow)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write_digits, tmp_path) for _ in range(2)]:
            done.result()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1797


def test_what_a_writer_cut_short_leaves_is_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "unlink", lambda self, **_: None)  # a kill runs no cleaning up

    def cut(self: Image.Image, path: Path, **_: str) -> None:
        path.write_bytes(b"\x89PNG")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", cut)
        with pytest.raises(KeyboardInterrupt):
            write_digits(tmp_path)
    write_digits(tmp_path)
    examined = examine(tmp_path)
    assert [each.why for each in examined.findings] == ["is hidden; rename it if it holds pictures"]
    assert len(examined.pictures) == 1797
