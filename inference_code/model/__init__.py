"""The model: its artifact, the two forms in which its network can be computed, and batches for both."""
