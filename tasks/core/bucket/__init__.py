"""A data folder in a bucket: its store, snapshots of what is committed together, and the mirror of it on this machine."""
