"""The order of things: ingest, convert, train."""
