"""Tests of tables made of other tables."""
