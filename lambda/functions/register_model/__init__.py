"""Judge a trained model and put it into the registry."""
