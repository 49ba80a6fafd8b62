"""Kinds of runners, and what they ask of workers."""
