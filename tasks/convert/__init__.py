"""Files to tables: files, formats, types, parts, checks, tables and their profiles."""
