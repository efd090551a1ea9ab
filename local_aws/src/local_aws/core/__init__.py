"""What every service stands on: errors, the request/response layer, the store, the context."""
