"""The command `new`: a pipeline file proposed from what its sources show."""
