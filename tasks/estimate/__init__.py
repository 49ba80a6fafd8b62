"""What the parts of a pipeline would read and take, by their inputs, before anything runs."""
