"""For tests against a local AWS: a server of a test's own, and a disk that is full when a test wants it."""
