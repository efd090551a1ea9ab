"""The Training stack: from pictures to a registered model. Each step of the pipeline is a file."""
