"""Reading pictures: each is decoded once, and what is kept of it is small."""
