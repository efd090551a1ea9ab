"""Start a job that answers all pictures below an S3 address."""
