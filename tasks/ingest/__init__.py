"""Fetching: HTTP client, throttle, pagination, pages, landing."""
