"""What the Prefect UI shows of a run: artifacts."""
