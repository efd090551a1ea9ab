"""A run from its search to the endpoint: launched, read from AWS, judged, shown."""
