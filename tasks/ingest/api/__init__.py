"""The pages of an API."""
