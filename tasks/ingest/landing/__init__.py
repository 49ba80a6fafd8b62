"""Partitions on their way into raw files."""
