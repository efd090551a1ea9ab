"""Start a job that looks at a data set's pictures."""
