"""Files opened, decompressed and decoded, and the formats that are read whole."""
