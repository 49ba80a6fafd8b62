"""Checks of a training: its section, its tables before a run, and its rows."""
