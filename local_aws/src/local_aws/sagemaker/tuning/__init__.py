"""Tuning jobs: `jobs` answers the API, `run` carries one out, `search` chooses the values of its trials."""
