"""The `classifier` command: a thin convenience over AWS's own APIs, local or not."""
