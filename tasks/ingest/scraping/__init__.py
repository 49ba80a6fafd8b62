"""Web pages: crawled and taken apart."""
