"""One file per command: its options, its work where that is small, and how its result looks."""
