"""Kinds of pagination, one a module: its keys, and how a page is turned. The pipeline file's models import them, so they are light."""
