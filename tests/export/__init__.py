"""Tests of tables written for others to read."""
