"""The stacks, brought up and down by the real CDK CLI, and what is done before and beside that."""
