"""Tests of what a run is estimated to take."""
