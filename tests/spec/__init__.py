"""Tests of tasks/spec."""
