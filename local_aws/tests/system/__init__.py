"""Tests of a server, started, killed and started again."""
