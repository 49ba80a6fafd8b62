"""How many bodies are in memory together: by their bytes, for 64 of 20 kB are nothing and 64 of 20 MB are much."""

from __future__ import annotations

_FADED = 0.98  # of the largest body, with each that comes: one that was large holds back the next hundred, not the run


class BodyRoom:
    """A room of so many bytes, and how many of the bodies that come would fill it; one always has place."""

    def __init__(self, room_bytes: int) -> None:
        self._room_bytes = room_bytes
        self._largest_bytes = 1.0
        self.bodies = room_bytes
        """How many have place."""

    def add(self, body_bytes: int) -> None:
        """Learn from a body."""
        self._largest_bytes = max(1.0, body_bytes, self._largest_bytes * _FADED)
        self.bodies = max(1, int(self._room_bytes / self._largest_bytes))
