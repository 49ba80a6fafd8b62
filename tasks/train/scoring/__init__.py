"""The champion as an endpoint: rows of JSON in, predictions out, over HTTP."""
