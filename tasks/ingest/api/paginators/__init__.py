"""Kinds of pagination, one a module: its keys, and how a page is turned. The pipeline file's models import them, so they are light."""

import tasks.config  # noqa: F401 - which imports the modules here: begun from one of them, it would find this half made
