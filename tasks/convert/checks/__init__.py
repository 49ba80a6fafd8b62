"""Declared checks of a table."""
