"""A picture folder becomes a dataset in the bucket: checked, split, uploaded."""
