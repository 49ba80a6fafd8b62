"""Tests of how files are opened, decoded and read where they are no lines of text."""
