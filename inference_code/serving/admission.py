"""Places for requests: so many are taken on, and one more is told to come back."""

from __future__ import annotations

import threading


class Admission:
    """Counts the requests between their admission, when their body is here, and the end of their work.

    Attributes:
        admitted: how many there are now. Any thread may read it.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._counting = threading.Lock()
        self.admitted = 0

    @property
    def full(self) -> bool:
        """Whether a request that came now would be told to come back."""
        return self.admitted >= self._places

    def take(self) -> bool:
        """Take a place, if one is free."""
        with self._counting:
            free = not self.full
            self.admitted += free
        return free

    def give_back(self, _: object = None) -> None:
        """A place is free again; the argument is the future whose end says so."""
        with self._counting:
            self.admitted -= 1
