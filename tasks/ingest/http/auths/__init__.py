"""Kinds of authentication, one a module: its keys, and what a request carries. The pipeline file's models import them, so they are light."""

import tasks.config  # noqa: F401 - which imports the modules here: begun from one of them, it would find this half made
