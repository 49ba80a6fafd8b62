"""Columns: their types, their names, and blocks of them."""
