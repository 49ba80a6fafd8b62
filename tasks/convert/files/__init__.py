"""Files listed, opened, decompressed and decoded."""
