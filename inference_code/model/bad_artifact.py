"""What every reader of a model artifact raises."""

from __future__ import annotations


class BadArtifact(Exception):
    """The model artifact cannot be served; the message names the file and what is wrong with it."""
