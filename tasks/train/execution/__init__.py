"""Fits in processes that can be killed, on this machine or a cluster."""
