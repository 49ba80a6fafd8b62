"""The order of things: ingest, convert, train, and the command line."""
