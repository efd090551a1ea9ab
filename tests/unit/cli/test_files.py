"""Folders of results: those in the checkout are none of git's."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.files import of_results


@pytest.mark.parametrize(
    ("place", "ignored"), [("checkout/doctor-pets", True), ("checkout/deep/er", True), ("elsewhere", False)]
)
def test_a_new_folder_of_results_in_the_checkout_is_passed_over_by_git(
    tmp_path: Path, place: str, ignored: bool
) -> None:
    (tmp_path / "checkout").mkdir()
    of_results(tmp_path / place, tmp_path / "checkout")
    assert (tmp_path / place).is_dir()
    assert (tmp_path / place / ".gitignore").exists() is ignored


def test_a_folder_that_holds_something_and_the_checkout_itself_stay_as_they_are(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    of_results(tmp_path, tmp_path)
    (docs / "page.md").write_text("x")
    of_results(docs, tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["docs", "page.md"]
