"""Databases as sources: a query of one, its rows in batches with types of their own."""
