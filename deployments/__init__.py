"""Pipelines that come with Tidemill, and the sample site that serves their data."""
