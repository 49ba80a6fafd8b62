"""House-keeping."""
