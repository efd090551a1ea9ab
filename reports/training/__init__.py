"""The page of one training job."""
