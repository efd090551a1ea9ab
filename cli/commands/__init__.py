"""The commands: options, the work where that is small, and how results look."""
