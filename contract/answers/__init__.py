"""How a network's numbers become an answer, which training measures and serving gives."""
