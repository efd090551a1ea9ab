"""Training itself: the loop, its loss and optimiser, its checkpoints, and who is told of it."""
