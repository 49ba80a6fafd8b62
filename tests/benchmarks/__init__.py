"""Benchmarks: measured, as ratios where there is a peer; never part of the tests."""
