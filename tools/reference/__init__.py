"""Writes docs/settings.md and docs/recipe-keys.md from the code: `make reference`."""
