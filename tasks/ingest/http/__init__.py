"""Requests: one client for a run, and the transports they go through."""
