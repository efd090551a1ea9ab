"""One thin file per command: options in, one call, its result shown."""
