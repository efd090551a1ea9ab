"""The page about a race: the winner, what each network takes, and why others were left out."""

from __future__ import annotations

from contract.race import Bounds, Entrant, Race
from reports.race.page import render
from tests.unit.markup import Skeleton


def entrant(network: str, accuracy: float, ms: float, **more: object) -> Entrant:
    values = {"mb": 5.0, "usd_per_million": ms / 5, "precision": "int8", "seconds": 30.0, **more}
    return Entrant(network=network, weights="w", accuracy=accuracy, ms=ms, **values)  # type: ignore[arg-type]


def race(*entrants: Entrant, bounds: Bounds | None = None) -> Race:
    return Race(
        dataset="dogs@1",
        pictures=2880,
        classes=120,
        machine="2 CPU threads",
        bounds=bounds or Bounds(max_ms=60),
        entrants=entrants,
    )


def page(*entrants: Entrant, bounds: Bounds | None = None) -> str:
    text = render("demo-auto-1", race(*entrants, bounds=bounds))
    Skeleton(text)
    assert "http" not in text.replace("http://www.w3.org", "")
    return text


def test_the_winner_the_front_and_what_is_beyond_the_bounds_are_told_apart() -> None:
    text = page(entrant("small", 0.7, 3), entrant("good", 0.8, 20), entrant("slow", 0.9, 130))
    assert "good won" in text
    assert text.count('class="dot winner"') == 3  # over milliseconds, megabytes, dollars
    assert "beyond the bounds" in text


def test_a_lead_that_may_be_chance_is_said_to_be() -> None:
    assert "which may be chance" in page(entrant("one", 0.801, 3), entrant("two", 0.80, 3.1))
    assert "which may be chance" not in page(entrant("one", 0.9, 3), entrant("two", 0.80, 3.1))


def test_a_winner_that_is_not_the_most_accurate_is_the_quicker_by_chance() -> None:
    text = page(entrant("one", 0.801, 9), entrant("two", 0.80, 3))
    assert "two won" in text
    assert "one is 0.1 points ahead, which may be chance, and slower" in text


def test_what_was_left_out_says_why_and_a_licence_is_said() -> None:
    gone = Entrant(network="gone", weights="imagenet", left_out="could not be downloaded <b>")
    text = page(entrant("one", 0.8, 3, restriction="forbids commercial use"), gone)
    assert "could not be downloaded &lt;b&gt;" in text
    assert "forbids commercial use" in text


def test_a_race_without_a_winner_has_a_page_too() -> None:
    text = page(entrant("slow", 0.8, 300), entrant("slower", 0.8, 400))
    assert "No network is within the bounds" in text


def test_figures_that_nobody_knows_leave_their_drawing_out() -> None:
    one = Entrant(network="one", weights="w", accuracy=0.8)
    assert "accuracy over" not in page(
        one, Entrant(network="two", weights="w", accuracy=0.7), bounds=Bounds()
    )
