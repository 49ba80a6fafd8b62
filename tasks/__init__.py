"""What the stages do: ingest, convert, train, what they share, and what is reported of them."""
