"""A data folder in a bucket."""
