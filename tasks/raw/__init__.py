"""What lies between ingest and convert: partitions, which of them a run is asked for, and raw files."""
