"""What made what: from a model to the bytes that it was learnt from, by the manifests alone."""
