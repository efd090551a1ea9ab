"""Duplicates: exact ones by content, near ones found by an index and confirmed by laying one on the other."""
