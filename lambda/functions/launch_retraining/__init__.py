"""Start a new search when enough corrections were accepted or drift rang, within a budget."""
