"""Models and the model registry, and the artifacts they name."""
