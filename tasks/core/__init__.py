"""What every stage needs, and no pipeline file is known to."""
