"""Recipes: their keys, what each may say, and the whole of one as a value. Nothing here asks AWS."""
