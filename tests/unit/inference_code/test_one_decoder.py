"""Upload, training and serving take the same files and see the same pixels in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from cli import pictures as upload
from contract.pictures import parts as image_parts
from contract.pictures.file import decode
from contract.pictures.parts import UndecodablePicture
from inference_code import picture as serving
from tests.unit.inference_code.odd_pictures import (
    LYING,
    SAYS_NOTHING,
    SAYS_SIX,
    in_every_format,
    jpeg,
    made_slow,
    many_strips,
    modes,
    segment,
)
from tests.unit.inference_code.pictures import encoded, no_pictures, scene, sound_pictures

pytestmark = pytest.mark.filterwarnings("ignore")

Judge = Callable[[bytes], Image.Image | None]
"""What upload, training and serving see in a file together; None if they refuse it."""

SOUND, NONE, MODES, SLOW = sound_pictures(), no_pictures(), modes(), made_slow()


def seen_in_training(content: bytes, enough: int | None = None) -> Image.Image | None:
    try:
        return decode(content, enough)
    except UndecodablePicture:
        return None


def seen_in_serving(content: bytes) -> Image.Image | None:
    try:
        return serving.read(content).decoded()
    except serving.ApiError:
        return None


@pytest.fixture
def judged(tmp_path: Path) -> Judge:
    def see(content: bytes) -> Image.Image | None:
        (tmp_path / "a.jpg").write_bytes(content)
        refused = bool(upload.check(tmp_path / "a.jpg").problem)
        trained, served = seen_in_training(content), seen_in_serving(content)
        assert (trained is None) == (served is None) == refused
        if trained is not None and served is not None:
            assert trained.mode == served.mode == "RGB"
            assert np.array_equal(trained, served)
        return trained

    return see


def close(a: Image.Image, b: Image.Image) -> bool:
    return a.size == b.size and float(np.asarray(ImageChops.difference(a, b)).mean()) < 3


@pytest.mark.parametrize("name", SAYS_SIX)
def test_a_photo_is_turned_by_its_orientation_whatever_else_its_tags_say(name: str, judged: Judge) -> None:
    content = jpeg(scene().transpose(LYING), segment(0xE1, b"Exif\0\0" + SAYS_SIX[name]))
    seen = judged(content)
    assert seen is not None
    assert close(seen, scene())


@pytest.mark.parametrize("name", SAYS_NOTHING)
def test_an_orientation_that_is_no_number_from_one_to_eight_says_nothing(name: str, judged: Judge) -> None:
    seen = judged(jpeg(scene(), segment(0xE1, b"Exif\0\0" + SAYS_NOTHING[name])))
    assert seen is not None
    assert close(seen, scene())


@pytest.mark.parametrize("name", in_every_format(scene()))
def test_the_orientation_of_every_format_counts_alike(name: str, judged: Judge) -> None:
    seen = judged(in_every_format(scene().transpose(LYING))[name])
    assert seen is not None
    assert close(seen, scene())


@pytest.mark.parametrize("name", MODES)
def test_every_mode_is_taken_or_refused_by_all(name: str, judged: Judge) -> None:
    seen = judged(MODES[name])
    assert (seen is None) == (name in ("TIFF F", "TIFF I"))


@pytest.mark.parametrize("name", [*SOUND, *NONE])
def test_what_one_takes_the_others_take(name: str, judged: Judge) -> None:
    seen = judged(SOUND[name] if name in SOUND else NONE[name][0])
    assert (seen is None) == (name in NONE)


@pytest.mark.parametrize("name", SLOW)
def test_a_file_made_to_be_slow_is_refused_by_all(name: str, judged: Judge) -> None:
    assert judged(SLOW[name]()) is None


@pytest.mark.parametrize("name", ["tiff of 750,000 strips", "jpeg drawn in many empty scans"])
def test_a_file_made_to_be_slow_never_reaches_pillow(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("Pillow reads it"))
    with pytest.raises(serving.ApiError, match=r"strips|scans"):
        serving.read(SLOW[name]())


def test_endless_metadata_does_not_reach_pillow(judged: Judge) -> None:
    block = SAYS_SIX["short"] + bytes(65_000)
    content = jpeg(scene().transpose(LYING), segment(0xE1, b"Exif\0\0" + block[:65_000]) * 50)
    assert len(image_parts.parts_of(content).drawing) < 5_000
    seen = judged(content)
    assert seen is not None
    assert close(seen, scene())


def test_as_many_strips_as_a_picture_needs_are_taken(judged: Judge) -> None:
    tall = Image.linear_gradient("L").resize((7, 2_000))
    seen = judged(encoded(tall, "TIFF", strip_size=7))
    assert seen is not None
    assert np.array_equal(seen, tall.convert("RGB"))


def test_a_tiff_that_lacks_strips_is_no_picture_with_a_black_rest(judged: Judge) -> None:
    assert judged(many_strips(5_000)) is None


def test_all_have_the_same_pixel_limit(judged: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_parts, "MAX_PIXELS", 300)
    assert judged(encoded(scene((30, 10)), "PNG")) is not None
    assert judged(encoded(scene((43, 7)), "PNG")) is None


EVERY = {**SOUND, **MODES, **in_every_format(scene())}


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(sorted(EVERY)), st.integers(0, 2**32), st.integers(1, 12), st.booleans())
def test_a_damaged_file_is_taken_or_refused_by_all(
    judged: Judge, name: str, seed: int, damages: int, cut: bool
) -> None:
    content, chance = bytearray(EVERY[name]), random.Random(seed)
    for _ in range(damages):
        # Headers decide the most, so half of the damage goes there.
        place = chance.randrange(min(len(content), 200) if chance.random() < 0.5 else len(content))
        content[place] = chance.randrange(256)
    whole = bytes(content[: chance.randrange(len(content))] if cut else content)
    seen = judged(whole)
    assert (seen_in_training(whole, 16) is None) == (seen is None)
