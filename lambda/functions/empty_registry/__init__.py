"""Empty the model package group when its stack goes: AWS refuses to delete one that has versions."""
