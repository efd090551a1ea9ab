"""The page of a tuning job: which trials did best, and which hyperparameters that depended on."""
