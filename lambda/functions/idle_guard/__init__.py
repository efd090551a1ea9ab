"""Take away an endpoint that nobody asks anything."""
