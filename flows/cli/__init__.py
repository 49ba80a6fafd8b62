"""The command line: one module a command, the console, and the Prefect API of a run."""
