"""Fetching: throttle, HTTP client, pages of APIs and of sites, landing."""
