"""The server processes behind endpoints: fleets of them, and the router that chooses one per request."""
