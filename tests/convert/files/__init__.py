"""Tests of convert files."""
