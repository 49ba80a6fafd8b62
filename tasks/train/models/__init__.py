"""Estimators by import path, with their preprocessing, and as files."""
