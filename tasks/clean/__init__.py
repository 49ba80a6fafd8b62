"""What of a data folder nothing needs any longer: found, told with its size, and removed."""
