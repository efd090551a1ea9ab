"""Start a search for the best hyperparameters."""
