"""Tests of tasks/convert and the convert flow."""
