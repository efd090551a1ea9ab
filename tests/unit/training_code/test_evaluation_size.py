"""An evaluation that the registry would not read is known before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contract.evaluation
from tests.unit.training_code.crowds import crowd
from tests.unit.training_code.samples import TINY, dataset, job_folder
from tests.unit.training_code.test_job import run
from training_code.data.dataset import Found
from training_code.data.picture_files import Files
from training_code.debugging import capture
from training_code.errors import UnusableDataset
from training_code.evaluation import size_limit
from training_code.output import artifact
from training_code.output.artifact import Facts


def found(facts: Facts) -> Found:
    """The files of this crowd, as they are known before they are decoded."""
    files = {}
    for split in facts.dataset.splits:
        by_class: dict[str, list[str]] = {}
        for name in split.files:
            label, _, rest = name.rpartition("/")
            by_class.setdefault(label, []).append(rest)
        files[split.name] = Files(Path("/nowhere"), by_class)
    return Found(facts.dataset.classes, files)


def size(facts: Facts) -> int:
    return len(artifact.as_lines(artifact.evaluation(facts)).encode())


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 300),
    st.integers(1, 30),
    st.sampled_from(["{}", "é" * 120 + "{}", '"' * 100 + "{}", "\x01\n" * 60 + "{}"]),
    st.floats(0, 1),
    st.booleans(),
)
def test_no_evaluation_is_larger_than_its_bound(
    classes: int, each: int, name: str, right: float, leaked: bool
) -> None:
    facts = crowd(classes, classes * each, name, right, leaked)
    assert size(facts) <= size_limit.bound(found(facts))


@pytest.mark.parametrize(("classes", "pictures"), [(1_000, 50_000), (10_000, 50_000), (10_000, 200_000)])
def test_ten_thousand_classes_with_the_longest_names_are_taken(classes: int, pictures: int) -> None:
    """A folder's name has at most 255 bytes."""
    facts = crowd(classes, pictures, "é" * 125 + "{:05}")
    size_limit.check(found(facts))
    assert size(facts) <= size_limit.bound(found(facts)) <= size(facts) + 2 * 2**20


def test_names_that_make_it_too_large_are_refused_with_what_to_do() -> None:
    with pytest.raises(UnusableDataset, match=r"of 10000 classes with names of up to 2\d+ bytes.*shorter"):
        size_limit.check(found(crowd(10_000, 10_000, "x" * 2000 + "{:05}")))


def test_a_job_whose_model_could_not_be_registered_fails_before_it_decodes_anything(tmp_path: Path) -> None:
    base = job_folder(tmp_path / "base", dataset(tmp_path / "pictures"), TINY)
    hook = base / "input" / "data" / "code" / "sitecustomize.py"
    hook.write_text("from training_code.evaluation import size_limit\nsize_limit.MAX_BYTES = 1000\n")
    code, log = run(base)
    assert code == 1
    assert "pictures in 2 classes" not in log
    assert (
        (base / "output" / "failure").read_text().startswith("UnusableDataset: the evaluation of 2 classes")
    )


def test_what_debugging_saves_leaves_the_evaluation_within_reach() -> None:
    """The reader searches so much of a job's output; the profile takes its share of it as well."""
    assert 2 * capture.MOST_SAVES < contract.evaluation.MAX_OUTPUT_FILES
    assert 2 * capture.MOST_BYTES <= contract.evaluation.MAX_OUTPUT_BYTES


def test_a_list_is_one_line_and_the_whole_is_json() -> None:
    content = {"a": [1, 2], "b": {"c": [{"d": 1}, {"d": 2}], "e": {}}, "f": [], "g": "é\n", "h": None}
    text = artifact.as_lines(content)
    assert json.loads(text) == content
    assert text.splitlines()[1:6] == [' "a": [1,2],', ' "b": {', '  "c": [', '   {"d":1},', '   {"d":2}']
