"""The page of a batch of answered pictures."""
