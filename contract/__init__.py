"""What two rooms must agree on, once.

It imports the standard library and nothing of the rest; `contract.pictures` numpy and Pillow too.
"""
