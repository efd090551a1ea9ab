"""From picture files to the tensors of a step: found, decoded once, kept, picked, varied."""
