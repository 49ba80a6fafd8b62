"""Kinds of runners, one a module: its keys, and the workers that it makes. The pipeline file's models import them, so they are light."""

import tasks.config  # noqa: F401 - which imports the modules here: begun from one of them, it would find this half made
