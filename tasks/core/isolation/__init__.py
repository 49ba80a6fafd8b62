"""Calls in processes of their own, with limits of time and memory: a client, the server it forks from, and the process."""
