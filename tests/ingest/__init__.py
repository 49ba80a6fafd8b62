"""Tests of tasks/ingest and flows/ingest.py, against a real server."""
