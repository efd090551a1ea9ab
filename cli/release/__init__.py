"""Which model serves: the registry, the champion, and what is decided over them by hand."""
