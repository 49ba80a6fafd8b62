"""Kinds of answers, one module each: what a pipeline file says of one, and how its records are read."""
