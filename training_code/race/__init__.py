"""A race of networks: which of several is the best start for these pictures."""
