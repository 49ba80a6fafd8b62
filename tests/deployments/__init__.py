"""Tests of the pipelines that come with Tidemill and of their sample site."""
