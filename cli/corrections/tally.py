"""How often senders, the model and its owner agree about given pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from cli.corrections.kept import Entry
from contract.given import Decided


@dataclass(frozen=True)
class Tally:
    """Counts of given pictures."""

    given: int = 0
    confirmed: int = 0
    """The sender said that the model is right."""
    corrected: int = 0
    """The sender named another class."""
    none_of_these: int = 0
    """The sender said that it shows none of the classes."""
    reviewed: int = 0
    with_model: int = 0
    """The review says what the model does."""
    against_model: int = 0
    with_sender: int = 0
    """The review says what the sender does; of those who said something."""
    against_sender: int = 0
    rejected: int = 0

    @property
    def lines(self) -> tuple[str, str]:
        """The counts for people."""
        silent = self.given - self.confirmed - self.corrected - self.none_of_these
        return (
            f"{self.given} given. Their senders: {self.confirmed} right, {self.corrected} corrected,"
            f" {self.none_of_these} none of these, {silent} said nothing.",
            f"{self.reviewed} reviewed: with the model {self.with_model}, against it {self.against_model};"
            f" with the sender {self.with_sender}, against {self.against_sender}; {self.rejected} rejected.",
        )

    @property
    def counts(self) -> dict[str, int]:
        return asdict(self)


def count(entries: Iterable[Entry]) -> Tally:
    """The counts of these pictures."""
    counted = dict.fromkeys(asdict(Tally()), 0)
    for entry in entries:
        for name in _marks(entry):
            counted[name] += 1
    return Tally(**counted)


def _marks(entry: Entry) -> list[str]:
    marks = ["given"]
    predicted, feedback, review = entry.given.predicted, entry.feedback, entry.review
    if feedback:
        if feedback.label is None:
            marks.append("none_of_these")
        else:
            marks.append("corrected" if entry.corrected else "confirmed")
    if review:
        marks.append("reviewed")
        if review.decided == Decided.REJECTED:
            return [*marks, "rejected"]
        marks.append("with_model" if review.label == predicted else "against_model")
        if feedback:
            marks.append("with_sender" if review.label == feedback.label else "against_sender")
    return marks
