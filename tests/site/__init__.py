"""The test server: a real HTTP server whose routes are named for their fault."""
