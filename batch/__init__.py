"""Many pictures answered in one go, by the functions that serve, without an endpoint."""
