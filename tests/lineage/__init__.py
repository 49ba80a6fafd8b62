"""Tests of what made what."""
