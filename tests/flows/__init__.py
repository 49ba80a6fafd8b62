"""Tests of the flows and of the command line."""
