"""The API stack: the public HTTPS API."""
