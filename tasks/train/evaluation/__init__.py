"""Candidates fitted, scored and ranked."""
