"""Tests of raw."""
