"""What ingest is measured against: the same pages by other means, each run as a process of its own."""
