"""The page about a race of networks."""
