"""A file is judged by its bytes; whatever they are, the answer is a judgement and never an exception."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cli.data.pictures import check
from contract.pictures import file
from contract.pictures import parts as image_parts
from contract.pictures.parts import UndecodablePicture
from tests.unit.cli.conftest import png


def test_a_good_picture_has_its_size_and_hash(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    checked = check(tmp_path / "a.png")
    assert (checked.problem, checked.remark) == ("", "")
    assert checked.size == len(png(1))
    assert checked.content == hashlib.sha256(png(1)).hexdigest()
    assert checked.suffix == ".png"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.integers(0, 60))
def test_any_bytes_get_a_judgement(tmp_path: Path, noise: bytes, kept: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(1)[:kept] + noise)
    checked = check(path)
    assert bool(checked.problem) != bool(checked.content)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_a_camera_or_scanner_writes_is_usable(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (5, 4)).save(tmp_path / "a.tif")
    assert check(tmp_path / "a.tif").problem == ""


def test_a_picture_with_too_many_pixels_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_parts, "MAX_PIXELS", 99)
    out = io.BytesIO()
    Image.new("L", (10, 10)).save(out, "PNG")
    (tmp_path / "a.png").write_bytes(out.getvalue())
    assert check(tmp_path / "a.png").problem_kind == "too large"


def test_an_unreadable_file_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    assert check(tmp_path / "gone.png").problem_kind == "unreadable"


def test_a_name_a_key_cannot_carry_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a\nb.png").write_bytes(png(1))
    assert check(tmp_path / "a\nb.png").problem_kind == "name"


@pytest.mark.parametrize(
    "name", ["Shot at 3.45\u202fPM", "no\u00a0break", "\u06af\u0631\u200c\u0647", "a'b\"c\\d", "\U0001f408"]
)
def test_names_that_people_s_machines_make_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.png").write_bytes(png(1))
    assert check(tmp_path / f"{name}.png").problem == ""


@pytest.mark.parametrize(
    ("name", "kind", "brand"),
    [
        ("a.heic", "HEIC", b"heic"), ("a.AVIF", "AVIF", b"avif"),
        ("b.jpg", "HEIC", b"heic"), ("b.png", "AVIF", b"avif"),
    ],
)  # fmt: skip
def test_a_picture_of_another_kind_is_called_what_it_is(
    tmp_path: Path, name: str, kind: str, brand: bytes
) -> None:
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(40))
    checked = check(tmp_path / name)
    assert checked.problem_kind == "other picture"
    assert checked.problem.startswith(f"is {kind}")
    assert f"`magick mogrify -format jpg {tmp_path / name}`" in checked.problem


def test_avif_is_taken_by_nobody_though_pillow_reads_it(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "AVIF")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert check(tmp_path / "a.jpg").problem.startswith("is AVIF")
    with pytest.raises(UndecodablePicture):
        file.read(buffer.getvalue())
