"""What a value may be: a number between bounds, or one of a few words.

Bounds are wide on purpose: they keep out what cannot work (a learning rate of 0, a batch of -1), not what is
merely unwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number from `least` to `most`; with `above` or `below` that bound itself is not allowed."""

    least: float
    most: float
    whole: bool = False
    above: bool = False
    below: bool = False

    @property
    def allowed(self) -> str:
        return (
            f"a {'whole ' if self.whole else ''}number {'above' if self.above else 'from'} {self.least:.10g} "
            f"{'to below' if self.below else 'to'} {self.most:.10g}"
        )

    def holds(self, number: float) -> bool:
        """Whether the number is allowed; NaN and the infinities never are."""
        if not self.least <= number <= self.most:
            return False
        at_open_bound = (self.above and number == self.least) or (self.below and number == self.most)
        return not at_open_bound and not (self.whole and number != int(number))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few words, or of many more, or a text of a form."""

    words: tuple[str, ...] = ()
    more: Callable[[], Collection[str]] = tuple
    """Further words, too many to be listed; asked for when they are needed."""
    more_in_words: str = ""
    form: str = ""
    """A regular expression; a text that matches it is allowed too."""
    form_in_words: str = ""

    @property
    def allowed(self) -> str:
        return " | ".join(each for each in (*self.words, self.more_in_words, self.form_in_words) if each)

    @property
    def all_words(self) -> Collection[str]:
        """Every word, listed or not."""
        return {*self.words, *self.more()}

    def holds(self, word: str) -> bool:
        """Whether the word is allowed."""
        if word in self.words or (self.form and re.fullmatch(self.form, word)):
            return True
        return word in self.more()
