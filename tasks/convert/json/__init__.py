"""JSON: objects flattened into rows, and blocks of them as typed columns."""
