"""Start the one training whose model may serve."""
