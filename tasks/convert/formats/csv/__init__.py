"""CSV and TSV: header, records told apart, and blocks of them as typed columns."""
