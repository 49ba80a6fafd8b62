"""Formats of files: blocks of bytes, or whole files, as typed columns."""
