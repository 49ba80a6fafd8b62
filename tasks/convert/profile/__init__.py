"""What a table holds, to be looked at."""
