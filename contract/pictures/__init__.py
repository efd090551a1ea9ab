"""Pictures: from the bytes of a file to what a network is shown."""
