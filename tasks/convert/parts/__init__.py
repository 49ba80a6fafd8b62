"""Parts of tables and rejects, as Parquet."""
