"""Tests of convert formats."""
