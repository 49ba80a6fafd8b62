"""What the stages do: ingest, convert, train, and what they share."""
