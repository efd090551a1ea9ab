"""Pictures: from the bytes of a file to what a network is shown."""

from __future__ import annotations

from typing import Final

RAW_BYTES: Final = ("application/x-image", "application/octet-stream")
"""Content types of a picture whose sender does not say its format: the bytes tell."""
