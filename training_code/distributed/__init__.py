"""The processes that train one network together, how they are started, and their batch normalisation."""
