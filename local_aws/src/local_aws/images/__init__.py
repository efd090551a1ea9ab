"""Container images without a container engine: `store` keeps them, `builder` makes them of a Dockerfile."""
