"""Checks of a table, a kind a module: its keys, its words, and how it is found. The pipeline file's models import them, so they are light."""

import tasks.config  # noqa: F401 - which imports the modules here: begun from one of them, it would find this half made
