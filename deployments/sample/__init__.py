"""The sample data of the demo and the tour: a site with faults of its own, and an inbox of files."""
