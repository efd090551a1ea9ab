"""Training jobs: `jobs` answers the API, `run` carries one job out, the other files are its parts."""
