"""The SSM parameter that names the champion: there before the Serving stack, never reset."""
