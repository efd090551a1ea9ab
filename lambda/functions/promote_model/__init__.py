"""Make the approved model the one that serves."""
