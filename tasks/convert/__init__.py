"""Files to tables: readers, types, rejects, Parquet."""
